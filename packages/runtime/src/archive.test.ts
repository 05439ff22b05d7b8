import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { failure, finalStage, stageOrder, type Request } from '@bunri/queue-contracts';
import { patienceMs } from '@bunri/testkit/until';
import { archiveField, createArchiver, type Archiver } from './archive.ts';
import { removeFailed } from './dead-letters.ts';
import { newRequestId } from './enqueue.ts';
import { createEventFeed } from './feed.ts';
import { createImageReferences } from './image-references.ts';
import { createLogger } from './log.ts';
import { outputs } from './pipeline-fixture.ts';
import { toResource } from './record.ts';
import { createRecordStore, type RecordStore } from './records.ts';
import { startReplay } from './replay.ts';

const prefix = `{t${randomUUID()}}`;
let redis: Redis;
let subscriber: Redis;
let records: RecordStore;
let archiver: Archiver;

beforeAll(() => {
  redis = new Redis(process.env['REDIS_URL'] ?? '');
  subscriber = redis.duplicate();
  records = createRecordStore({ redis, prefix });
  archiver = createArchiver(records);
});
afterAll(async () => {
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.unlink(...keys);
  await redis.quit();
  subscriber.disconnect();
});

async function accepted(): Promise<Request> {
  const id = newRequestId();
  const now = Date.now();
  const request: Request = {
    id,
    owner: 'ann',
    question: '이 페트병은 어떻게 버려요? "라벨"\\도\u0000',
    locale: 'ko',
    source: { kind: 'upload', key: `uploads/${id}`, sha256: 'a'.repeat(64), sizeBytes: 10 },
    priority: 'interactive',
    createdAt: now,
    deadlineAt: now + 60_000,
  };
  await records.accept(request);
  return request;
}

/** With a retry and pieces of the answer among its events. */
async function completed(): Promise<string> {
  const { id } = await accepted();
  for (const stage of stageOrder) {
    await records.start({ id, stage, token: 'lost' });
    await records.retry({ id, stage, token: 'lost' }, 'model_unavailable');
    const run = { id, stage, token: 'kept' };
    await records.start(run);
    if (stage === finalStage) for (const offset of [0, 3, 6]) await records.delta(run, offset, '헹구 ');
    await records.finish(run, { output: outputs[stage], durationMs: 5, cached: false });
  }
  return id;
}

async function state(id: string) {
  const record = await records.get(id);
  if (!record) throw new Error('the record is gone');
  return { record, resource: toResource(record), events: await records.events(id, 0) };
}

test('an archived request reads as before, to the last field and event, and takes a fraction of the memory', async () => {
  const id = await completed();
  const names = [records.keys.record(id), records.keys.events(id)] as const;
  const memory = async () =>
    ((await redis.memory('USAGE', names[0])) ?? 0) + ((await redis.memory('USAGE', names[1])) ?? 0);
  const [before, taken] = [await state(id), await memory()];

  expect(await archiver.archive([id])).toMatchObject({ archived: 1 });
  expect(await state(id)).toEqual(before);
  expect(await redis.exists(names[1])).toBe(0);
  expect(await memory()).toBeLessThan(taken / 4);
});

test('a client resumes the events of an archived request from any place', async () => {
  const id = await completed();
  const all = await records.events(id, 0);
  await archiver.archive([id]);
  for (const { seq } of all) expect(await records.events(id, seq)).toEqual(all.slice(seq));
  expect(await records.events(id, all.length + 5)).toEqual([]);
});

test('whoever follows an archived request hears the rest of it and its end', async () => {
  const id = await completed();
  const all = await records.events(id, 0);
  await archiver.archive([id]);
  const feed = createEventFeed({
    records,
    subscriber,
    log: createLogger({ app: 'test', level: 'error', silent: true }),
  });
  for (const after of [0, 5, all.length]) {
    const seen: number[] = [];
    const end = await feed.follow(id, after, ({ seq }) => seen.push(seq), AbortSignal.timeout(patienceMs));
    expect(end).toBe('ended');
    expect(seen).toEqual(all.slice(after).map(({ seq }) => seq));
  }
});

test('a reader beside the archiver sees all of a request at every moment', async () => {
  const ids = await Promise.all(Array.from({ length: 6 }, completed));
  const before = await Promise.all(ids.map(state));
  const other = redis.duplicate();
  const reader = createRecordStore({ redis: other, prefix });
  const over = new AbortController();
  const reading = (async () => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      const i = n % ids.length;
      const id = ids[i] ?? '';
      expect(await reader.events(id, 0)).toEqual(before[i]?.events);
      expect(await reader.get(id)).toEqual(before[i]?.record);
    }
  })();
  try {
    for (const id of ids) expect(await archiver.archive([id])).toMatchObject({ archived: 1 });
  } finally {
    over.abort();
    await reading;
    other.disconnect();
  }
});

test('archiving again changes nothing, and two archivers at once archive once', async () => {
  const id = await completed();
  const two = await Promise.all([archiver.archive([id]), archiver.archive([id])]);
  expect(two.map(({ archived }) => archived).toSorted((a, b) => a - b)).toEqual([0, 1]);
  const once = await redis.hgetallBuffer(records.keys.record(id));
  expect(await archiver.archive([id])).toMatchObject({ archived: 0, archived_before: 1 });
  expect(await redis.hgetallBuffer(records.keys.record(id))).toEqual(once);
});

test('what is open, is a dead letter, or was opened again is never archived', async () => {
  const { id: open } = await accepted();
  const { id: dead } = await accepted();
  await records.fail(dead, failure('model_unavailable', 'Away.'));
  const { id: retried } = await accepted();
  await records.fail(retried, failure('model_unavailable', 'Away.'));
  const record = await records.get(retried);
  if (record) await records.reopen(record, { from: 'failed' });

  const before = await Promise.all([open, dead, retried].map(state));
  expect(await archiver.archive([open, dead, retried, newRequestId()])).toMatchObject({
    archived: 0,
    open: 2,
    dead_letter: 1,
    gone: 1,
  });
  expect(await Promise.all([open, dead, retried].map(state))).toEqual(before);
});

test('a request that was opened again while it was packed stays as it is, even where it has failed once more', async () => {
  const { id } = await accepted();
  // Read as a failure by what was sent, it is retried before it is written.
  await records.fail(id, failure('image_undecodable', 'No.'));
  const record = await records.get(id);
  const slow = Object.create(redis) as Redis;
  slow.xrange = (async (...range: Parameters<Redis['xrange']>) => {
    const entries = await redis.xrange(...range);
    if (record) await records.reopen(record, { from: 'failed' });
    await records.fail(id, failure('model_unavailable', 'Away.'));
    return entries;
  }) as Redis['xrange'];
  expect(await createArchiver({ redis: slow, keys: records.keys }).archive([id])).toMatchObject({ changed: 1 });
  expect(await records.get(id)).toMatchObject({
    status: 'failed',
    generation: 1,
    error: { code: 'model_unavailable' },
  });
  expect((await records.events(id, 0)).map(({ type }) => type)).toEqual(['accepted', 'failed', 'retried', 'failed']);
});

test('a request that is being deleted stays as it is, so that nobody goes on from it meanwhile', async () => {
  const id = await completed();
  await createImageReferences(records).mark(id);
  expect(await archiver.archive([id])).toMatchObject({ changed: 1 });
  expect(await redis.hexists(records.keys.record(id), 'deleting')).toBe(1);
});

test('a canceled request, and one that failed by what was sent, are archived', async () => {
  const ended = [(await accepted()).id, (await accepted()).id] as const;
  await records.cancel(ended[0]);
  await records.fail(ended[1], failure('image_undecodable', 'No.', 'preprocess'));
  const before = await Promise.all(ended.map(state));
  expect(await archiver.archive(ended)).toMatchObject({ archived: 2 });
  expect(await Promise.all(ended.map(state))).toEqual(before);
});

test('transitions refuse an archived request as any closed one', async () => {
  const id = await completed();
  await archiver.archive([id]);
  const before = await state(id);
  const run = { id, stage: finalStage, token: 'late' };
  expect(await records.start(run)).toEqual({ outcome: 'closed', status: 'completed' });
  expect(await records.finish(run, { output: {}, durationMs: 1, cached: false })).toMatchObject({ outcome: 'closed' });
  expect(await records.fail(id, failure('model_unavailable', 'No.'))).toMatchObject({ outcome: 'closed' });
  expect(await records.cancel(id)).toMatchObject({ outcome: 'closed' });
  expect(await records.reopen(before.record, { from: 'failed' })).toMatchObject({ outcome: 'closed' });
  expect(await records.accept(before.record.request)).toMatchObject({ outcome: 'existing', id });
  expect(await state(id)).toEqual(before);
});

test('an archived request is replayed with what it had, and can be removed', async () => {
  const id = await completed();
  await archiver.archive([id]);
  const flows = { add: async () => await Promise.resolve() };
  const replay = await startReplay({ records, flows }, id, { llmModel: 'other' });
  if (replay.outcome !== 'accepted') throw new Error(replay.outcome);
  expect(replay.record.stages.rag).toMatchObject({ status: 'completed', output: outputs.rag });

  await records.remove(id, 'ann');
  expect(await records.get(id)).toBeNull();
  expect(await records.events(id, 0)).toEqual([]);
});

test('purging an archived failure removes it', async () => {
  const { id } = await accepted();
  await records.fail(id, failure('image_undecodable', 'No.', 'preprocess'));
  await archiver.archive([id]);
  expect(await removeFailed(records, (await state(id)).record)).toBe('purged');
  expect(await records.get(id)).toBeNull();
});

test('an archive expires by itself, a while after the clean-up should have removed it', async () => {
  const id = await completed();
  const key = records.keys.record(id);
  const before = await redis.pttl(key);
  await archiver.archive([id]);
  const longer = (await redis.pttl(key)) - before;
  expect(longer).toBeGreaterThan(3.9 * 3600_000);
  expect(longer).toBeLessThanOrEqual(4 * 3600_000);
});

test('a record that is not understood stays and does not keep the others from being archived', async () => {
  const [id, { id: broken }] = [await completed(), await accepted()];
  await records.cancel(broken);
  await redis.hset(records.keys.record(broken), 'error', 'not JSON');
  expect(await archiver.archive([broken, id])).toMatchObject({ archived: 1, unreadable: 1 });
  expect(await redis.hexists(records.keys.record(broken), archiveField)).toBe(0);
});
