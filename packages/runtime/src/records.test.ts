import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { failure, type Request } from '@bunri/queue-contracts';
import { newRequestId } from './enqueue.ts';
import { dayInSeoul } from './keys.ts';
import { createRecordStore, type RecordStore, type StageRun } from './records.ts';

const url = process.env['REDIS_URL'] ?? '';
const prefix = `{t${randomUUID()}}`;
const start = Date.parse('2026-03-01T12:00:00Z');
let clock = start;
let redis: Redis;
let records: RecordStore;

beforeAll(() => {
  redis = new Redis(url);
  records = createRecordStore({ redis, prefix, now: () => clock });
});
afterAll(async () => {
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.unlink(...keys);
  await redis.quit();
});

function request(over: Partial<Request> = {}): Request {
  return {
    id: newRequestId(),
    owner: 'ann',
    question: '이거 어떻게 버려요?',
    locale: 'ko',
    source: { kind: 'upload', key: 'uploads/x', sha256: 'a'.repeat(64), sizeBytes: 10 },
    priority: 'interactive',
    createdAt: clock,
    deadlineAt: clock + 120_000,
    ...over,
  };
}

const states = ['none', 'queued', 'running', 'waiting', 'completed', 'failed', 'canceled'] as const;
type State = (typeof states)[number];
const error = failure('model_refused', 'The model refused.', 'llm');
const result = { output: { n: 1 }, durationMs: 5, cached: false };

/** Brings a new request into a state; `running` and `waiting` are of the final stage, started by the run that is returned. */
async function inState(state: State): Promise<{ id: string; run: StageRun }> {
  const subject = request();
  const run: StageRun = { id: subject.id, stage: 'llm', token: 'run-1' };
  if (state === 'none') return { id: subject.id, run };
  await records.accept(subject);
  if (state === 'running' || state === 'waiting' || state === 'completed') await records.start(run);
  if (state === 'waiting') await records.retry(run, 'model_unavailable');
  if (state === 'completed') await records.finish(run, result);
  if (state === 'failed') await records.fail(subject.id, error);
  if (state === 'canceled') await records.cancel(subject.id);
  return { id: subject.id, run };
}

/** Each start is by a run of its own. */
let starts = 0;
const transitions = {
  accept: async ({ id }: { id: string }) => await records.accept(request({ id })),
  start: async ({ run }: { run: StageRun }) => await records.start({ ...run, token: `run-${(starts += 1) + 1}` }),
  finish: async ({ run }: { run: StageRun }) => await records.finish(run, result),
  retry: async ({ run }: { run: StageRun }) => await records.retry(run, 'model_unavailable'),
  release: async ({ run }: { run: StageRun }) => await records.release(run, 'shutdown'),
  delta: async ({ run }: { run: StageRun }) => await records.delta(run, 0, 'text'),
  fail: async ({ id }: { id: string }) => await records.fail(id, error),
  failByRun: async ({ id, run }: { id: string; run: StageRun }) => await records.fail(id, error, { token: run.token }),
  cancel: async ({ id }: { id: string }) => await records.cancel(id),
  reopen: async ({ id }: { id: string }) => {
    const record = await records.get(id);
    return record ? await records.reopen(record, { from: 'failed' }) : ({ outcome: 'gone' } as const);
  },
};

test('a request that is new only without a known answer leaves nothing where there is one', async () => {
  const known = `request:${'b'.repeat(64)}`;
  const subject = request({ owner: randomUUID() });
  await redis.set(`${prefix}:cache:${known}`, '{}');
  expect(await records.accept(subject, { unlessKnown: known })).toMatchObject({ outcome: 'known', before: null });
  expect(await records.get(subject.id)).toBeNull();
  expect(await records.listIds(subject.owner, Infinity, 10)).toEqual([]);
  await redis.unlink(`${prefix}:cache:${known}`);
  expect(await records.accept(subject, { unlessKnown: known })).toMatchObject({ outcome: 'accepted' });
  // Of one that is there already nobody needs to know more.
  await redis.set(`${prefix}:cache:${known}`, '{}');
  expect(await records.accept(subject, { unlessKnown: known })).toMatchObject({ outcome: 'existing' });
});

/** Outcome of each transition in each state, of the same one again, and the status that remains. */
const table: Record<keyof typeof transitions, Record<State, string>> = {
  accept: {
    none: 'accepted, existing → queued',
    queued: 'existing, existing → queued',
    running: 'existing, existing → running',
    waiting: 'existing, existing → running',
    completed: 'existing, existing → completed',
    failed: 'existing, existing → failed',
    canceled: 'existing, existing → canceled',
  },
  start: {
    none: 'gone, gone → none',
    queued: 'started, started → running',
    running: 'started, started → running',
    waiting: 'started, started → running',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  finish: {
    none: 'gone, gone → none',
    queued: 'fenced, fenced → queued',
    running: 'finished, closed → completed',
    waiting: 'fenced, fenced → running',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  retry: {
    none: 'gone, gone → none',
    queued: 'fenced, fenced → queued',
    running: 'yielded, fenced → running',
    waiting: 'fenced, fenced → running',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  release: {
    none: 'gone, gone → none',
    queued: 'fenced, fenced → queued',
    running: 'yielded, fenced → running',
    waiting: 'fenced, fenced → running',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  delta: {
    none: 'gone, gone → none',
    queued: 'fenced, fenced → queued',
    running: 'emitted, emitted → running',
    waiting: 'fenced, fenced → running',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  fail: {
    none: 'gone, gone → none',
    queued: 'ended, closed → failed',
    running: 'ended, closed → failed',
    waiting: 'ended, closed → failed',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  failByRun: {
    none: 'gone, gone → none',
    queued: 'fenced, fenced → queued',
    running: 'ended, closed → failed',
    waiting: 'ended, closed → failed',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  cancel: {
    none: 'gone, gone → none',
    queued: 'ended, closed → canceled',
    running: 'ended, closed → canceled',
    waiting: 'ended, closed → canceled',
    completed: 'closed, closed → completed',
    failed: 'closed, closed → failed',
    canceled: 'closed, closed → canceled',
  },
  reopen: {
    none: 'gone, gone → none',
    queued: 'closed, closed → queued',
    running: 'closed, closed → running',
    waiting: 'closed, closed → running',
    completed: 'closed, closed → completed',
    failed: 'reopened, closed → queued',
    canceled: 'closed, closed → canceled',
  },
};

describe('every transition from every state, twice', () => {
  for (const [name, expected] of Object.entries(table) as [keyof typeof transitions, Record<State, string>][]) {
    test.each(states)(`${name} from %s`, async (state) => {
      const subject = await inState(state);
      const before = await records.events(subject.id, 0);
      const first = await transitions[name](subject);
      const middle = await records.events(subject.id, 0);
      const second = await transitions[name](subject);
      const after = await records.events(subject.id, 0);
      const status = (await records.get(subject.id))?.status ?? 'none';

      expect(`${first.outcome}, ${second.outcome} → ${status}`).toBe(expected[state]);
      // An event is written exactly when something changed, and numbers have no gap.
      const changes = ['accepted', 'started', 'finished', 'yielded', 'emitted', 'ended', 'reopened'];
      const completes = first.outcome === 'finished' ? 2 : 1;
      expect(middle.length - before.length).toBe(changes.includes(first.outcome) ? completes : 0);
      expect(after.length - middle.length).toBe(changes.includes(second.outcome) ? 1 : 0);
      expect(after.map((event) => event.seq)).toEqual(after.map((_, i) => i + 1));
    });
  }
});

test('a later run of a stage fences off the earlier one', async () => {
  const { run } = await inState('running');
  const later = { ...run, token: 'run-2' };
  expect(await records.start(later)).toMatchObject({ outcome: 'started', attempt: 2 });
  expect(await records.finish(run, result)).toEqual({ outcome: 'fenced' });
  expect(await records.fail(run.id, error, { token: run.token })).toEqual({ outcome: 'fenced' });
  expect(await records.finish(later, result)).toEqual({ outcome: 'finished' });
});

test('a stage that is done is not started again', async () => {
  const subject = request();
  const run: StageRun = { id: subject.id, stage: 'preprocess', token: 'run-1' };
  await records.accept(subject);
  await records.start(run);
  await records.finish(run, result);
  expect(await records.start({ ...run, token: 'run-2' })).toEqual({ outcome: 'done' });
});

test('a stage gets the request and the outputs it reads', async () => {
  const subject = request();
  await records.accept(subject);
  const run: StageRun = { id: subject.id, stage: 'preprocess', token: 'run-1' };
  await records.start(run);
  await records.finish(run, { ...result, output: { width: 3, list: [], text: '한글 "quoted"' } });
  const taken = await records.start({ ...run, stage: 'vision' });
  expect(taken).toMatchObject({
    outcome: 'started',
    request: subject,
    outputs: { preprocess: { width: 3, list: [], text: '한글 "quoted"' } },
  });
});

test('a released run does not count as an attempt, a failed one does', async () => {
  const { run, id } = await inState('running');
  await records.release(run, 'shutdown');
  await records.start({ ...run, token: 'run-2' });
  await records.retry({ ...run, token: 'run-2' }, 'model_timeout');
  await records.start({ ...run, token: 'run-3' });
  expect((await records.get(id))?.stages.llm.attempts).toBe(2);
});

test('a stage that lost three runs is worn, and runs that failed or were given back count for none', async () => {
  const { run } = await inState('queued');
  for (let n = 1; n <= 5; n += 1) {
    expect(await records.start({ ...run, token: `run-${n}` })).toMatchObject({ outcome: 'started', lost: 0 });
    if (n % 2 === 0) await records.release({ ...run, token: `run-${n}` }, 'shutdown');
    else await records.retry({ ...run, token: `run-${n}` }, 'model_timeout');
  }
  const started = [];
  for (let n = 6; n <= 9; n += 1) started.push(await records.start({ ...run, token: `run-${n}` }));
  expect(started).toMatchObject([{ lost: 0 }, { lost: 1 }, { lost: 2 }, { outcome: 'worn' }]);
});

test('no stage starts after the deadline', async () => {
  const subject = request({ deadlineAt: clock });
  await records.accept(subject);
  expect(await records.start({ id: subject.id, stage: 'preprocess', token: 'a' })).toEqual({ outcome: 'late' });
});

test('an idempotency key belongs to its owner and is bound to one body', async () => {
  const first = request();
  const idempotency = { key: 'key-1', fingerprint: 'f1' };
  expect(await records.accept(first, { idempotency })).toMatchObject({ outcome: 'accepted', id: first.id });
  expect(await records.accept(request(), { idempotency })).toMatchObject({ outcome: 'existing', id: first.id });
  const other = { key: 'key-1', fingerprint: 'f2' };
  expect(await records.accept(request(), { idempotency: other })).toMatchObject({ outcome: 'conflict', id: first.id });
  expect(await records.accept(request({ owner: 'bob' }), { idempotency: other })).toMatchObject({
    outcome: 'accepted',
  });
});

test('an idempotency key whose request was removed may be used again', async () => {
  const first = request();
  const idempotency = { key: 'key-3', fingerprint: 'f1' };
  await records.accept(first, { idempotency });
  await records.remove(first.id, first.owner);
  expect(await records.accept(request(), { idempotency })).toMatchObject({ outcome: 'accepted' });
});

test('of many submissions with one idempotency key exactly one is accepted', async () => {
  const idempotency = { key: 'key-2', fingerprint: 'f' };
  const replies = await Promise.all(
    Array.from({ length: 50 }, async () => await records.accept(request(), { idempotency })),
  );
  expect(replies.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1);
  expect(new Set(replies.map(({ id }) => id)).size).toBe(1);
});

test('what is read in the turn in which a request is sent to be accepted is that request', async () => {
  const wanted = request();
  const outputs = { vision: { item: 'can' } };
  const [accepted, read] = await Promise.all([records.accept(wanted, { outputs }), records.get(wanted.id)]);
  expect(accepted.outcome).toBe('accepted');
  expect(read).toMatchObject({ status: 'queued', stages: { vision: { output: outputs.vision } } });
});

test('a request answered from the cache is complete at once', async () => {
  const subject = request();
  const outputs = { preprocess: { a: 1 }, vision: { b: 2 }, rag: { c: 3 }, llm: { d: 4 } };
  await records.accept(subject, { answer: { outputs } });
  const record = await records.get(subject.id);
  expect(record).toMatchObject({ status: 'completed', completedAt: clock });
  expect(record?.stages.llm).toMatchObject({ status: 'completed', cached: true, attempts: 0, output: { d: 4 } });
  expect((await records.events(subject.id, 0)).map(({ type }) => type)).toEqual(['accepted', 'completed']);
  expect(await records.overdue(subject.deadlineAt, 100)).not.toContain(subject.id);
});

test('indexes follow the request from acceptance to removal', async () => {
  const owner = randomUUID();
  const subject = request({ owner });
  await records.accept(subject);
  expect(await records.unqueued(clock, 1000)).toContain(subject.id);
  expect(await records.overdue(subject.deadlineAt, 1000)).toContain(subject.id);
  await records.start({ id: subject.id, stage: 'preprocess', token: 'a' });
  expect(await records.unqueued(clock, 1000)).not.toContain(subject.id);
  await records.cancel(subject.id);
  expect(await records.overdue(subject.deadlineAt, 1000)).not.toContain(subject.id);
  expect(await records.finishedBefore(clock, 1000)).toContain(subject.id);
  expect(await records.listIds(owner, clock + 1, 10)).toEqual([subject.id]);
  await records.remove(subject.id, owner);
  expect(await records.get(subject.id)).toBeNull();
  expect(await records.listIds(owner, clock + 1, 10)).toEqual([]);
  expect(await records.finishedBefore(clock, 1000)).not.toContain(subject.id);
});

test('a canceled request and one past its deadline are told to the workers', async () => {
  const subscriber = redis.duplicate();
  const heard: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  subscriber.on('message', (_channel, message) => {
    heard.push(message);
    if (heard.length === 2) resolve();
  });
  await subscriber.subscribe(records.keys.control);
  const [first, second] = [await inState('running'), await inState('running')];
  await records.cancel(first.id);
  await records.fail(second.id, failure('deadline_exceeded', 'Too late.'));
  await promise;
  expect(heard).toEqual([`canceled ${first.id}`, `deadline ${second.id}`]);
  await subscriber.quit();
});

test('of dead letters only so many are kept, and what fails beyond is a finished request like others', async () => {
  const own = createRecordStore({ redis, prefix: `${prefix}:few`, now: () => clock, maxDeadLetters: 2 });
  for (let n = 0; n < 4; n += 1) {
    const { id } = request();
    await own.accept(request({ id }));
    await own.fail(id, failure('model_unavailable', 'Away.'));
  }
  expect(await own.deadLetters(10)).toHaveLength(2);
  expect(await own.finishedBefore(clock, 10)).toHaveLength(2);
});

test('a start that is asked for again by the same run changes nothing, and is no lost run', async () => {
  const { run, id } = await inState('queued');
  const first = await records.start({ ...run, token: 'process:1' });
  expect(first).toMatchObject({ outcome: 'started', attempt: 1, lost: 0 });
  const before = await records.events(id, 0);
  for (let n = 0; n < 3; n += 1) expect(await records.start({ ...run, token: 'process:1' })).toEqual(first);
  expect(await records.events(id, 0)).toEqual(before);
  expect((await records.get(id))?.stages.llm.attempts).toBe(1);
  expect(await records.start({ ...run, token: 'other:1' })).toMatchObject({ lost: 1 });
});

test('a suspect waits while its process runs another, and is not counted', async () => {
  const { run, id } = await inState('queued');
  for (const token of ['a:1', 'b:1', 'c:1']) await records.start({ ...run, token });
  await records.release({ ...run, token: 'c:1' }, 'shutdown');
  const before = await records.events(id, 0);
  expect(await records.start({ ...run, token: 'd:1' }, true)).toEqual({ outcome: 'isolated' });
  expect(await records.start({ ...run, token: 'd:2' }, true)).toEqual({ outcome: 'isolated' });
  expect(await records.events(id, 0)).toEqual(before);
  const begun = await records.start({ ...run, token: 'e:1' });
  expect(begun).toMatchObject({ outcome: 'started', lost: 2 });
  // Whoever has begun it is not counted again for asking again, but puts it back.
  expect(await records.start({ ...run, token: 'e:1' }, true)).toEqual(begun);
});

test('the day of a transition counts it, in Seoul', async () => {
  clock = Date.parse('2026-03-01T15:30:00Z');
  expect(dayInSeoul(clock)).toBe('2026-03-02');
  const { run } = await inState('running');
  await records.finish(run, { ...result, counters: { 'tokens:llm:input': 7, 'nanousd:llm': 250 } });
  await inState('failed');
  const counters = await redis.hgetall(records.keys.statistics('2026-03-02'));
  expect(counters).toEqual({
    accepted: '2',
    completed: '1',
    failed: '1',
    'failed:model_refused': '1',
    'tokens:llm:input': '7',
    'nanousd:llm': '250',
  });
  clock = start;
});
