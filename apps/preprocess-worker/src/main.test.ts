import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import sharp from 'sharp';
import type { RequestEvent } from '@bunri/queue-contracts';
import {
  closeRedis,
  connectConsumer,
  connectSubscriber,
  createEventFeed,
  createFlowQueue,
  createLogger,
  createRecordStore,
  createStorage,
  newRequestId,
  objectKeys,
  sha256,
  stageOutput,
} from '@bunri/runtime';
import { drawSamplePhoto, freePort, startProcess } from '@bunri/testkit';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const main = fileURLToPath(new URL('main.ts', import.meta.url));

const { PRIORITY_NORMAL, PRIORITY_BELOW_NORMAL } = constants.priority;
const hasThreadFiles = existsSync('/proc/self/task');
/** Nothing is known of threads where the system does not tell their names. */
const expectedPriorities = hasThreadFiles
  ? { main: [PRIORITY_NORMAL], pool: Array(4).fill(PRIORITY_BELOW_NORMAL) }
  : {};

/** Of the event loop, and of the threads that work on pixels. */
function priorities(pid: number) {
  if (!hasThreadFiles) return {};
  const tasks = `/proc/${pid}/task`;
  const pool = readdirSync(tasks).filter(
    (thread) => readFileSync(`${tasks}/${thread}/comm`, 'utf8') === 'libuv-worker\n',
  );
  return { main: [getPriority(pid)], pool: pool.map((thread) => getPriority(Number(thread))) };
}

test('the worker takes its stage of a flow, tells on its port how it went, and stops when it is told to', async () => {
  const { REDIS_URL: url = '', S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = process.env;
  const S3_BUCKET = `photos-${newRequestId().slice(-12)}`;
  const prefix = `{${newRequestId()}}`;
  const port = await freePort();
  const redis = connectConsumer({ url, name: 'test', log });
  const subscriber = connectSubscriber({ url, name: 'test', log });
  const flows = createFlowQueue({ redis, prefix });
  const records = createRecordStore({ redis, prefix });
  const storage = createStorage({
    bucket: S3_BUCKET,
    region: S3_REGION ?? '',
    endpoint: S3_ENDPOINT,
    accessKeyId: S3_ACCESS_KEY_ID,
    secretAccessKey: S3_SECRET_ACCESS_KEY,
  });
  await storage.createBucket();
  const worker = await startProcess({
    name: 'preprocess-worker',
    args: [main],
    env: {
      REDIS_URL: url,
      REDIS_PREFIX: prefix,
      PORT: String(port),
      S3_BUCKET,
      S3_ENDPOINT,
      S3_REGION,
      S3_ACCESS_KEY_ID,
      S3_SECRET_ACCESS_KEY,
    },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
  });
  /** Sends the file through a flow, and gives what the worker made of it. */
  async function preprocess(file: Buffer) {
    const id = newRequestId();
    const key = objectKeys.upload(id);
    await storage.putStream(key, Readable.from([file], { objectMode: false }), 'application/octet-stream');
    const source = { kind: 'upload' as const, key, sha256: sha256(file), sizeBytes: file.length };
    const times = { createdAt: Date.now(), deadlineAt: Date.now() + 60_000 };
    const asked = { owner: 'test', question: '', locale: 'ko' as const, priority: 'interactive' as const };
    const request = { id, ...asked, source, ...times };
    await records.accept(request);
    await flows.add(request);
    const done = new AbortController();
    const onEvent = ({ type }: RequestEvent) => {
      if (type === 'stage.completed' || type === 'failed') done.abort();
    };
    await createEventFeed({ records, subscriber, log }).follow(id, 0, onEvent, done.signal);
    const record = await records.get(id);
    return record && stageOutput(record, 'preprocess');
  }

  try {
    const photo = await drawSamplePhoto({ width: 300, height: 200, seed: 21 });
    // The worker closes libvips to all formats but these; each must still get through.
    for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
      const output = await preprocess(await sharp(photo).toFormat(format).toBuffer());
      expect({ format, ...output }).toMatchObject({ format, width: 300, height: 200 });
      expect(await storage.head(output?.key ?? '')).not.toBeNull();
    }

    expect(priorities(worker.pid)).toEqual(expectedPriorities);

    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/bunri_stage_runs_total\{[^}]*outcome="completed"[^}]*\} [1-4]/);
    expect(await worker.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    await worker.stop('SIGKILL');
    await flows.close();
    storage.close();
    await closeRedis(subscriber);
    await closeRedis(redis);
  }
});
