import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { priorityOf, stageOrder, stages } from '@bunri/queue-contracts';
import { createFlowQueue, newRequestId } from './enqueue.ts';
import { usualService } from './estimate.ts';
import { createKeys, dayInSeoul } from './keys.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createModelBudget, type ModelLimits } from './model-budget.ts';
import { createPipelineLoad, stageModels, type StageModels } from './pipeline-load.ts';
import { createRecordStore } from './records.ts';
import { announceSlots } from './stage-slots.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const day = 24 * 3600 * 1000;
let redis: Redis;
let prefix: string;
let clock: number;
const prefixes: string[] = [];
beforeAll(() => {
  redis = new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
});
beforeEach(() => {
  prefix = `{t${randomUUID()}}`;
  prefixes.push(prefix);
  // Noon in Seoul.
  clock = Date.UTC(2026, 5, 1, 3);
});
afterAll(async () => {
  for (const used of prefixes) {
    const keys = await redis.keys(`${used}*`);
    if (keys.length > 0) await redis.unlink(...keys);
  }
  await redis.quit();
});

const pipelineLoad = (models: StageModels = {}) => createPipelineLoad({ redis, prefix, models, now: () => clock });

const budgetOf = (model: string, limits: ModelLimits) =>
  createModelBudget({ redis, prefix, model, limits, metrics: createMetrics({ app: 'test', processMetrics: false }) });
const { signal } = new AbortController();

async function queue(priority: 'interactive' | 'batch', turns: number[]): Promise<void> {
  const flows = createFlowQueue({ redis, prefix });
  for (const turn of turns) await flows.add({ id: newRequestId(), deadlineAt: clock + day, priority, turn });
  await flows.close();
}

/** Counts `runs` runs of vision in the class of `ms`. */
async function count(ms: number, runs: number): Promise<void> {
  await redis.hincrby(createKeys(prefix).statistics(dayInSeoul(clock)), `duration:vision:${ms}`, runs);
}

const vision = stageOrder.indexOf('vision');

test('it counts what waits, is delayed and has slots, and of what waits only that which goes before', async () => {
  await queue('batch', [0, 1, 2, 3]);
  await queue('interactive', [0, 1, 1]);
  const delayed = new Queue(stages.vision.queue, { connection: redis, prefix });
  await delayed.add('vision', {}, { delay: 60_000, priority: 1 });
  await delayed.close();
  const slots = announceSlots({ redis, prefix, stage: 'vision', slots: 20, log });
  const load = pipelineLoad();

  const all = await load.read();
  expect(all.map(({ stage }) => stage)).toEqual(stageOrder);
  expect(all[0]).toMatchObject({ waiting: 7, active: 0, delayed: 0, slots: 0, workers: 0 });
  expect(all[vision]).toMatchObject({ waiting: 0, delayed: 1, slots: 20, workers: 1, stopped: false, pausedMs: 0 });
  const before = async (priority: 'interactive' | 'batch', turn: number) =>
    (await load.readBefore(priority, turn)).map(({ waiting }) => waiting);
  expect(await before('interactive', 0)).toEqual([1, 0, 0, 0]);
  // Behind those of its own turn that came earlier.
  expect(await before('interactive', 1)).toEqual([3, 0, 0, 0]);
  expect(await before('batch', 1)).toEqual([5, 0, 0, 0]);
  await slots.close();
});

test('acceptance counts the same jobs before a request as a reading afterwards', async () => {
  await queue('batch', [0, 1, 2]);
  await queue('interactive', [0, 1, 2]);
  const records = createRecordStore({ redis, prefix, now: () => clock });
  const load = pipelineLoad();
  const counts: (readonly number[])[] = [];
  for (const priority of ['interactive', 'interactive', 'batch', 'batch'] as const) {
    const { turn, before } = await records.accept({
      id: newRequestId(),
      owner: 'ann',
      question: '이거 어떻게 버려요?',
      locale: 'ko',
      source: { kind: 'url', url: 'https://example.com/a.jpg' },
      priority,
      createdAt: clock,
      deadlineAt: clock + 60_000,
    });
    const after = await load.readBefore(priority, turn);
    expect(before).toEqual(after.map(({ waiting }) => waiting));
    counts.push(before ?? []);
  }
  expect(counts.map(([first]) => first)).toEqual([1, 2, 4, 5]);
});

test('a request that the local model looks at stands in its line instead of that of vision', async () => {
  const flows = createFlowQueue({ redis, prefix });
  for (const models of [['local'], ['local'], ['gpt-5', 'local'], undefined]) {
    const order = { id: newRequestId(), deadlineAt: clock + day, priority: 'batch', turn: 0, models } as const;
    await flows.add(order);
  }
  await flows.close();
  const slots = announceSlots({ redis, prefix, stage: 'vision.local', slots: 2, log });
  const load = pipelineLoad();
  const local = await load.read('vision.local');
  expect(local.map(({ stage }) => stage)).toEqual(['preprocess', 'vision.local', 'rag', 'llm']);
  expect(local[vision]).toMatchObject({ slots: 2, service: usualService('vision.local') });
  expect((await load.read()).map(({ stage }) => stage)).toEqual(stageOrder);
  // Jobs are told of their queue: what waits there for an earlier stage does not count.
  const queue = new Queue(stages['vision.local'].queue, { connection: redis, prefix });
  await queue.add('look', {}, { priority: priorityOf('interactive', 0) });
  await queue.close();
  const waiting = async (look?: 'vision.local') =>
    (await load.readBefore('interactive', 0, look)).map((of) => of.waiting);
  expect([await waiting('vision.local'), await waiting()]).toEqual([
    [0, 1, 0, 0],
    [0, 0, 0, 0],
  ]);
  await slots.close();
});

test('of any number of delayed jobs no more than the slots stand before an interactive request, and all before batch', async () => {
  const delayed = new Queue(stages.vision.queue, { connection: redis, prefix });
  await delayed.addBulk(
    Array.from({ length: 30 }, () => ({ name: 'vision', data: {}, opts: { delay: 60_000, priority: 1 } })),
  );
  await delayed.close();
  const slots = announceSlots({ redis, prefix, stage: 'vision', slots: 20, log });
  const load = pipelineLoad();
  expect((await load.readBefore('interactive', 0))[vision]?.delayed).toBe(20);
  expect((await load.readBefore('batch', 0))[vision]?.delayed).toBe(30);
  await slots.close();
});

test('a stage does no more a minute than its model admits, by the limits and the size of calls that the workers keep', async () => {
  const models = stageModels({ VISION_MODEL: 'gpt-5', LLM_MODEL: 'gpt-4o-mini' });
  const load = pipelineLoad(models);
  const rates = async () => {
    clock += 1_000;
    return (await load.read()).map(({ requestsPerMinute }) => requestsPerMinute);
  };
  expect(await rates()).toEqual([undefined, undefined, undefined, undefined]);
  const budget = budgetOf('primary:gpt-5', { requestsPerMinute: 500, tokensPerMinute: 30_000 });
  const call = await budget.admit({ tokens: 4_000, signal });
  await budgetOf('fallback:gpt-5', { requestsPerMinute: 1 }).admit({ tokens: 1, signal });
  expect(await rates()).toEqual([undefined, 7.5, undefined, undefined]);
  await call.settle(2_000, { limitRequests: 10 });
  expect(await rates()).toEqual([undefined, 10, undefined, undefined]);

  // Each of two stages with one model has half of what it admits.
  const shared = pipelineLoad(stageModels({ VISION_MODEL: 'gpt-5', LLM_MODEL: 'gpt-5' }));
  expect((await shared.read()).map(({ requestsPerMinute }) => requestsPerMinute)).toEqual([undefined, 5, undefined, 5]);
});

test('a pause of a model, and what it owes, are waited for', async () => {
  const models = stageModels({ VISION_MODEL: 'gpt-5', LLM_MODEL: 'gpt-4o-mini' });
  await budgetOf('primary:gpt-4o-mini', {}).pause(30_000);
  // Half a minute's tokens at once, of which a twelfth was saved up.
  await budgetOf('primary:gpt-5', { tokensPerMinute: 6_000 }).admit({ tokens: 3_500, signal });
  const [preprocess, owing, , paused] = await pipelineLoad(models).read();
  expect(preprocess?.pausedMs).toBe(0);
  expect(owing?.pausedMs).toBeGreaterThan(28_000);
  expect(owing?.pausedMs).toBeLessThanOrEqual(30_000);
  expect(paused?.pausedMs).toBeGreaterThan(28_000);
  expect(paused?.pausedMs).toBeLessThanOrEqual(30_000);
});

test('it sees jobs in work, a queue that an operator stopped, and a pause that the other side asked for', async () => {
  await queue('interactive', [0]);
  const working = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const worker = new Worker(
    stages.preprocess.queue,
    async () => {
      working.resolve();
      await done.promise;
    },
    { connection: redis, prefix, limiter: { max: 1_000_000, duration: 1000 } },
  );
  await working.promise;
  const queues = new Queue(stages.vision.queue, { connection: redis, prefix });
  await queues.pause();
  const asked = new Queue(stages.llm.queue, { connection: redis, prefix });
  await asked.rateLimit(30_000);
  const [preprocess, stopped, , paused] = await pipelineLoad().read();
  expect(preprocess).toMatchObject({ waiting: 0, active: 1, pausedMs: 0 });
  expect(stopped).toMatchObject({ stopped: true });
  expect(paused?.pausedMs).toBeGreaterThan(25_000);
  done.resolve();
  await Promise.all([worker.close(), queues.close(), asked.close()]);
});

test('durations are those of the last two minutes, where there are enough of them, else those of the day', async () => {
  const load = pipelineLoad();
  const meanMs = async () => (await load.read())[vision]?.service.meanMs;
  expect(await meanMs()).toBe(usualService('vision').meanMs);
  await count(2_000, 1_000);
  clock += 1_000;
  expect(await meanMs()).toBe(1_750);

  // The model has become slow: the day's thousand runs are forgotten.
  clock += 200_000;
  expect(await meanMs()).toBe(1_750);
  await count(10_000, 19);
  clock += 60_000;
  expect(await meanMs()).toBeLessThan(2_000);
  await count(10_000, 1);
  clock += 1_000;
  expect(await meanMs()).toBe(8_750);

  // At midnight the counters begin anew; what was known holds on.
  clock += day;
  expect(await meanMs()).toBe(8_750);
});

test('however many ask, Redis is asked once a second; a failure is not remembered', async () => {
  const away = new Redis('redis://127.0.0.1:9', { enableOfflineQueue: false, lazyConnect: true });
  const failing = createPipelineLoad({ redis: away, prefix, models: {}, now: () => clock });
  await expect(failing.read()).rejects.toThrow(/writeable|closed/);
  await expect(failing.read()).rejects.toThrow(/writeable|closed/);
  away.disconnect();

  const load = pipelineLoad();
  const first = await load.read();
  await queue('interactive', [0]);
  clock += 999;
  expect(await load.read()).toEqual(first);
  clock += 1;
  expect((await load.read())[0]?.waiting).toBe(1);
});
