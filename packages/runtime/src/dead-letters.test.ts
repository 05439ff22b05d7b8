import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { failure, stages, type FailureCode, type Request, type StageName } from '@bunri/queue-contracts';
import { until } from '@bunri/testkit/until';
import { createDeadLetters, type DeadLettersOptions } from './dead-letters.ts';
import { newRequestId } from './enqueue.ts';
import { PermanentError, TransientError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { createRecordStore } from './records.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  await closePipelines();
});

/** A pipeline whose vision stage breaks with the given error until it is mended. */
async function brokenPipeline(makeError: () => Error) {
  let broken = true;
  const pipeline = await startPipeline({
    vision: async () => {
      if (broken) throw makeError();
      return await Promise.resolve(outputs.vision);
    },
  });
  return { ...pipeline, letters: createDeadLetters(pipeline), mend: () => (broken = false) };
}

const authFailed = () => new PermanentError('model_auth_failed', 'The model API rejected the credentials.');

test('a request that failed for the provider completes after a retry, from the stage that failed on', async () => {
  const { submit, ended, runs, letters, mend } = await brokenPipeline(authFailed);
  const id = await submit();
  await ended(id);
  const { data } = await letters.list({});
  expect(data).toEqual([
    {
      id,
      owner: 'ann',
      failed_at: expect.any(String),
      age_seconds: expect.any(Number),
      code: 'model_auth_failed',
      stage: 'vision',
      attempts: 1,
      retryable: false,
      generation: 0,
    },
  ]);
  mend();
  expect(await letters.retry([id], { deadlineMs: 30_000 })).toEqual([{ id, outcome: 'reopened', detail: null }]);
  const { record } = await ended(id);
  expect(record).toMatchObject({ status: 'completed', generation: 1, request: { priority: 'batch' } });
  expect(runs).toEqual({ preprocess: 1, vision: 2, rag: 1, llm: 1 });
  expect((await letters.list({})).data).toEqual([]);
});

test('incident: a dead-letter queue that stays empty because exhausted retries are acknowledged', async () => {
  const { submit, ended, records, flows, runs } = await startPipeline({
    rag: async () => await Promise.reject(new TransientError('model_unavailable', 'No answer.')),
  });
  const id = await submit();
  await ended(id);
  expect((await createDeadLetters({ records, flows }).list({})).data).toMatchObject([
    { id, code: 'model_unavailable', stage: 'rag', attempts: stages.rag.attempts, retryable: true },
  ]);
  expect(runs.rag).toBe(stages.rag.attempts);
});

test('what the client sent wrong is no dead letter and is not retried', async () => {
  const { submit, ended, letters, runs } = await brokenPipeline(
    () => new PermanentError('image_undecodable', 'The image cannot be decoded.'),
  );
  const id = await submit();
  await ended(id);
  expect((await letters.list({})).data).toEqual([]);
  expect(await letters.retry([id])).toMatchObject([{ outcome: 'closed', detail: expect.stringContaining('client') }]);
  expect(await letters.purge([id])).toMatchObject([{ outcome: 'closed' }]);
  expect(runs.vision).toBe(1);
});

test('what is completed, canceled or unknown is neither retried nor purged', async () => {
  const { submit, ended, letters, records, mend } = await brokenPipeline(authFailed);
  mend();
  const completed = await submit();
  await ended(completed);
  const canceled = newRequestId();
  await records.accept(request({ id: canceled }));
  await records.cancel(canceled);
  const unknown = newRequestId();
  const ids = [completed, canceled, unknown];
  for (const results of [await letters.retry(ids), await letters.purge(ids)]) {
    expect(results.map(({ outcome }) => outcome)).toEqual(['closed', 'closed', 'gone']);
  }
  expect((await records.get(completed))?.status).toBe('completed');
});

test('of two operators who retry the same request at once, one does and the stage runs once more', async () => {
  const { submit, ended, letters, runs, mend } = await brokenPipeline(authFailed);
  const id = await submit();
  await ended(id);
  mend();
  const outcomes = (await Promise.all([letters.retry([id]), letters.retry([id])])).flat().map((each) => each.outcome);
  expect(outcomes.toSorted()).toEqual(['closed', 'reopened']);
  expect((await ended(id)).record.generation).toBe(1);
  expect(runs.vision).toBe(2);
});

test('an old job that is retried by hand in BullMQ ends as a no-op', async () => {
  const { submit, ended, letters, runs, job, mend, records } = await brokenPipeline(authFailed);
  const id = await submit();
  await ended(id);
  const old = async () => await job(id, 'vision');
  await until(async () => (await (await old())?.isFailed()) === true);
  mend();
  await letters.retry([id]);
  await ended(id);
  const before = await records.get(id);
  await (await old())?.retry('failed');
  await until(async () => (await (await old())?.isCompleted()) === true);
  expect(runs.vision).toBe(2);
  expect(await records.get(id)).toEqual(before);
});

function request(over: Partial<Request> = {}): Request {
  return {
    id: newRequestId(),
    owner: 'ann',
    question: 'How?',
    locale: 'en',
    source: { kind: 'upload', key: 'uploads/x', sha256: 'b'.repeat(64), sizeBytes: 10 },
    priority: 'interactive',
    createdAt: Date.now(),
    deadlineAt: Date.now() + 60_000,
    ...over,
  };
}

/** A store on a clock of its own, with a letter a call. */
async function openStore(options: Partial<DeadLettersOptions> = {}) {
  const prefix = `{t${randomUUID()}}`;
  const redis = new Redis(process.env['REDIS_URL'] ?? '');
  let clock = Date.parse('2026-03-01T00:00:00Z');
  const now = () => clock;
  const records = createRecordStore({ redis, prefix, now });
  const queued: string[] = [];
  const flows = { add: async ({ id }: { id: string }) => await Promise.resolve(void queued.push(id)) };
  closers.push(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
    await redis.quit();
  });
  const fail = async (how: { owner?: string; code?: FailureCode; stage?: StageName; afterMs?: number } = {}) => {
    const { owner = 'ann', code = 'model_unavailable', stage = 'llm', afterMs = 1_000 } = how;
    clock += afterMs;
    const { id } = await accepted(owner);
    await records.fail(id, failure(code, 'It broke.', stage));
    return id;
  };
  const accepted = async (owner: string) => {
    const given = request({ owner, createdAt: clock, deadlineAt: clock + 60_000 });
    await records.accept(given);
    return given;
  };
  return { redis, records, queued, now, fail, letters: createDeadLetters({ records, flows, now, ...options }) };
}

test('a page after another misses nothing and lists nothing twice, whatever vanishes or comes in between', async () => {
  const { fail, letters } = await openStore();
  // Many of the same millisecond, as a sweep leaves them.
  const ids: string[] = [];
  for (let i = 0; i < 9; i += 1) ids.push(await fail({ afterMs: i % 3 === 0 ? 1_000 : 0 }));
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 9; page += 1) {
    const { data, next_cursor } = await letters.list({}, { limit: 2, cursor });
    seen.push(...data.map(({ id }) => id));
    if (next_cursor === null) break;
    cursor = next_cursor;
    // The one that the cursor names goes, and a new one comes.
    if (page === 1) await letters.purge(seen.slice(-1));
    await fail();
  }
  expect(seen.toSorted()).toEqual(ids.toSorted());
  await expect(letters.list({}, { cursor: 'nonsense' })).rejects.toThrow(RangeError);
});

test('a filter takes code, stage, owner and time, and a page of few matches looks at a bounded number', async () => {
  const { fail, letters, now } = await openStore({ mostLooked: { page: 4, call: 100 } });
  const first = await fail({ owner: 'bob', code: 'worker_lost', stage: 'vision' });
  const between = now();
  for (let i = 0; i < 5; i += 1) await fail();
  const idsOf = async (filter: Parameters<typeof letters.list>[0]) => {
    const ids: string[] = [];
    for (let cursor: string | undefined | null; cursor !== null;) {
      const page = await letters.list(filter, { cursor });
      ids.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    return ids;
  };
  for (const filter of [
    { owner: 'bob' },
    { code: 'worker_lost' as const },
    { stage: 'vision' as const },
    { untilMs: between },
  ]) {
    expect(await idsOf(filter)).toEqual([first]);
  }
  expect(await idsOf({ sinceMs: between + 1 })).toHaveLength(5);
  expect(await letters.list({ owner: 'bob' })).toMatchObject({ data: [], next_cursor: expect.any(String) });
});

test('a call for many is bounded and tells how many are left, and those that fail again are not taken twice', async () => {
  const { fail, letters, records, queued } = await openStore({ mostHandled: 3 });
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push(await fail());
  const other = await fail({ owner: 'bob' });
  expect(await letters.count({ owner: 'ann' })).toEqual({ count: 5, more: false });
  expect(await letters.retryMatching({ owner: 'ann' })).toMatchObject({
    counts: { reopened: 3 },
    left: 2,
    more: false,
  });
  expect(queued.toSorted()).toEqual(ids.slice(2).toSorted());
  expect(await letters.retryMatching({ owner: 'ann' })).toMatchObject({ counts: { reopened: 2 }, left: 0 });
  expect((await records.get(other))?.status).toBe('failed');
});

test('a purge leaves nothing of the request, and leaves alone what was retried meanwhile', async () => {
  const { fail, letters, records, redis } = await openStore();
  const id = await fail();
  const retried = await fail();
  const stale = createDeadLetters({
    records: {
      ...records,
      // Read before another operator retries it.
      async get(of: string) {
        const record = await records.get(of);
        if (of === retried) await letters.retry([of]);
        return record;
      },
    },
    flows: { add: async () => await Promise.resolve() },
  });
  expect(await stale.purge([id, retried])).toMatchObject([{ outcome: 'purged' }, { outcome: 'closed' }]);
  expect((await records.get(retried))?.status).toBe('queued');
  const { keys } = records;
  expect(await redis.exists(keys.record(id), keys.events(id))).toBe(0);
  expect(await records.listIds('ann', Number.MAX_SAFE_INTEGER, 10)).toEqual([retried]);
  expect((await letters.list({})).data).toEqual([]);
});

test('a retry whose jobs cannot be queued is told, and leaves the request to the sweeper', async () => {
  const { fail, letters, records } = await openStore({
    flows: { add: async () => await Promise.reject(new Error('Redis went away')) },
  });
  const id = await fail();
  expect(await letters.retry([id])).toMatchObject([
    { outcome: 'reopened', detail: expect.stringContaining('scheduler') },
  ]);
  expect(await records.unqueued(Number.MAX_SAFE_INTEGER, 10)).toEqual([id]);
});

test('an entry whose record is gone or not understood hides no other', async () => {
  const { fail, letters, records, redis } = await openStore();
  const [gone, strange, good] = [await fail(), await fail(), await fail()];
  await redis.del(records.keys.record(gone));
  await redis.hset(records.keys.record(strange), 'request', '{"id":1}');
  const page = await letters.list({});
  expect(page.data.map(({ id }) => id)).toEqual([good]);
  expect(page.unreadable).toEqual([strange]);
  expect(await letters.retry([gone])).toMatchObject([{ outcome: 'gone' }]);
  expect((await records.deadLetters(10)).map(({ id }) => id)).not.toContain(gone);
});
