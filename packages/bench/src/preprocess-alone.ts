import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import type { Request } from '@bunri/queue-contracts';
import {
  createFlowQueue,
  createRecordStore,
  newRequestId,
  objectKeys,
  sha256,
  stageOutput,
  type RecordStore,
} from '@bunri/runtime';
import { freePort, startProcess, startRedis } from '@bunri/testkit';
import { startBucket, type BenchBucket } from './bench-bucket.ts';
import { readPods } from './pods.ts';
import { stopAll } from './stops.ts';

/** A preprocess worker in its pod's settings, with a queue and a bucket, and no other stage. */
export interface PreprocessAlone {
  readonly pid: number;
  /** Puts the files into the bucket, then a request for each into the queue, and waits until all are normalised. */
  readonly run: (files: readonly Uint8Array[]) => Promise<void>;
}

export interface PreprocessOptions {
  readonly redisBinary: string | undefined;
  /** Of the control group that the worker is to be in. */
  readonly procsFile: string | undefined;
}

const prefix = '{bunri-bench-preprocess}';
const timeoutMs = 120_000;

/**
 * Starts the worker for as long as `use` takes.
 * @throws when the worker ends by itself meanwhile, with its last lines.
 */
export async function withPreprocessAlone<Result>(
  { redisBinary, procsFile }: PreprocessOptions,
  use: (worker: PreprocessAlone) => Promise<Result>,
): Promise<Result> {
  const stops: (() => unknown)[] = [];
  try {
    const server = await startRedis({ binary: redisBinary });
    stops.push(async () => await server.stop());
    const bucket = await startBucket();
    stops.push(async () => await bucket.stop());
    const worker = await startWorker(server.url, bucket, procsFile);
    stops.push(async () => await worker.stop());
    const redis = new Redis(server.url);
    stops.push(async () => await Promise.resolve(redis.disconnect()));
    const ended = worker.exited.then(() => {
      throw new Error(`the worker has ended. Its last lines:\n${worker.output()}`);
    });
    const run = async (files: readonly Uint8Array[]) => await normaliseAll(redis, bucket, files);
    const used = use({ pid: worker.pid, run: async (files) => await Promise.race([run(files), ended]) });
    return await Promise.race([used, ended]);
  } finally {
    await stopAll(stops);
  }
}

async function startWorker(redisUrl: string, bucket: BenchBucket, procsFile: string | undefined) {
  const main = fileURLToPath(new URL('../../../apps/preprocess-worker/src/main.ts', import.meta.url));
  const confined = fileURLToPath(new URL('confined.ts', import.meta.url));
  const port = await freePort();
  const env = (await readPods()).get('preprocess-worker')?.env;
  return await startProcess({
    name: 'preprocess-worker',
    args: procsFile === undefined ? [main] : [confined, procsFile, main],
    env: { ...env, ...bucket.env, REDIS_URL: redisUrl, REDIS_PREFIX: prefix, PORT: String(port) },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
  });
}

async function normaliseAll(redis: Redis, { storage }: BenchBucket, files: readonly Uint8Array[]): Promise<void> {
  const records = createRecordStore({ redis, prefix });
  const requests: Request[] = [];
  for (const file of files) {
    const request = requestFor(file);
    const body = Readable.from([file], { objectMode: false });
    await storage.putStream(objectKeys.upload(request.id), body, 'application/octet-stream');
    requests.push(request);
  }
  const flows = createFlowQueue({ redis, prefix });
  try {
    await Promise.all(requests.map(async (request) => await records.accept(request)));
    await Promise.all(requests.map(async (request) => await flows.add(request)));
  } finally {
    await flows.close();
  }
  const giveUpAt = performance.now() + timeoutMs;
  for (const { id } of requests) {
    while (!(await isNormalised(records, id))) {
      if (performance.now() > giveUpAt) throw new Error('the worker took too long');
      await delay(10);
    }
  }
}

async function isNormalised(records: RecordStore, id: string): Promise<boolean> {
  const record = await records.get(id);
  if (record?.error) throw new Error(`a picture was refused: ${record.error.message}`);
  return record !== null && stageOutput(record, 'preprocess') !== null;
}

function requestFor(file: Uint8Array): Request {
  const id = newRequestId();
  const createdAt = Date.now();
  return {
    id,
    owner: 'bench',
    question: '',
    locale: 'en',
    source: { kind: 'upload', key: objectKeys.upload(id), sha256: sha256(file), sizeBytes: file.byteLength },
    priority: 'interactive',
    createdAt,
    deadlineAt: createdAt + timeoutMs,
  };
}
