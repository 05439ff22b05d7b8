import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { createFlowQueue, type FlowQueue } from '@bunri/runtime';
import { openWorld, sampleRequest, type World } from './fixture.ts';
import { createQueueGauges, type QueueGauges, watchedQueues } from './queue-gauges.ts';

let world: World;
let flows: FlowQueue;
let gauges: QueueGauges;
let clock: number;
beforeEach(() => {
  clock = Date.now();
  world = openWorld(process.env, () => clock);
  flows = createFlowQueue(world);
  gauges = createQueueGauges({ ...world, now: () => clock });
});
afterEach(async () => {
  await gauges.close();
  await flows.close();
  await world.close();
});

async function gauge(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
  const values = (await world.metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
  return values.find((value) => Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted))
    ?.value;
}

async function submit(priority: 'interactive' | 'batch', owner = 'test'): Promise<void> {
  const request = sampleRequest({ priority, owner, createdAt: clock });
  const { turn } = await world.records.accept(request);
  await flows.add({ ...request, turn });
}

test('what has not been measured yet is not told as 0, from which it would seem to grow', async () => {
  const names = ['bunri_open_requests', 'bunri_dead_letters', 'bunri_spending_today_usd', 'bunri_redis_keys'];
  expect(await Promise.all(names.map(async (name) => await gauge(name)))).toEqual(names.map(() => undefined));
  await gauges.refresh();
  expect(await Promise.all(names.slice(0, 2).map(async (name) => await gauge(name)))).toEqual([0, 0]);
});

test('every queue of the stages, of the scheduler, of webhooks and of batches is exported', async () => {
  const states = await gauges.refresh();
  expect(states.map(({ queue }) => queue)).toEqual(watchedQueues);
  const others = ['watch', 'maintenance', 'webhooks', 'batches'];
  expect(watchedQueues).toEqual(['preprocess', 'vision', 'vision.local', 'rag', 'llm', ...others]);
  expect(await gauge('bunri_queue_oldest_seconds', { queue: 'vision' })).toBe(0);
});

test('a waiting request is seen in the depth of each queue and in the open requests', async () => {
  await submit('interactive');
  const states = await gauges.refresh();
  expect(states[0]).toEqual({ queue: 'preprocess', waiting: 1, workers: 0 });
  expect(await gauge('bunri_queue_jobs', { queue: 'preprocess', state: 'prioritized' })).toBe(1);
  expect(await gauge('bunri_queue_jobs', { queue: 'llm', state: 'waiting-children' })).toBe(1);
  expect(await gauge('bunri_open_requests')).toBe(1);
});

test('the oldest job is found although a younger one of higher priority stands before it', async () => {
  await submit('batch');
  clock += 40_000;
  await submit('interactive');
  clock += 20_000;
  await gauges.refresh();
  expect(await gauge('bunri_queue_oldest_seconds', { queue: 'preprocess' })).toBe(60);
  expect(await gauge('bunri_queue_oldest_seconds', { queue: 'llm' })).toBe(0);
});

test('the oldest job is found although those of other owners with an earlier turn stand before it', async () => {
  for (let n = 0; n < 3; n += 1) await submit('interactive');
  clock += 30_000;
  for (const owner of ['ann', 'bob', 'cyd']) await submit('interactive', owner);
  await gauges.refresh();
  expect(await gauge('bunri_queue_oldest_seconds', { queue: 'preprocess' })).toBe(30);
});

test('a delayed job whose time has come is overdue', async () => {
  const queue = new Queue('vision', { connection: world.redis, prefix: world.prefix });
  await queue.add('job', {}, { delay: 10_000 });
  await queue.close();
  await gauges.refresh();
  expect(await gauge('bunri_queue_overdue_delayed', { queue: 'vision' })).toBe(0);
  clock += 20_000;
  await gauges.refresh();
  expect(await gauge('bunri_queue_overdue_delayed', { queue: 'vision' })).toBe(1);
});

test('each worker of a queue is counted once, as long as it lives', async () => {
  const options = { connection: world.redis, prefix: world.prefix };
  const workers = [1, 2].map(() => new Worker('rag', async () => await Promise.resolve(), options));
  for (const worker of workers) await worker.waitUntilReady();
  const [, , , rag, llm] = await gauges.refresh();
  expect([rag?.workers, llm?.workers]).toEqual([2, 0]);
  await Promise.all(workers.map(async (worker) => await worker.close()));
  await gauges.refresh();
  expect(await gauge('bunri_queue_workers', { queue: 'rag' })).toBe(0);
});

test('the age and the number of waiting jobs are told apart by class', async () => {
  await submit('batch');
  clock += 40_000;
  await submit('interactive');
  clock += 20_000;
  await gauges.refresh();
  const of = async (name: string, priority: string) =>
    await gauge(`bunri_queue_class_${name}`, { queue: 'preprocess', class: priority });
  expect([await of('oldest_seconds', 'interactive'), await of('oldest_seconds', 'batch')]).toEqual([20, 60]);
  expect([await of('jobs', 'interactive'), await of('jobs', 'batch')]).toEqual([1, 1]);
});

test('only the queues of the stages have classes', async () => {
  await gauges.refresh();
  const values = (await world.metrics.registry.getSingleMetric('bunri_queue_class_jobs')?.get())?.values ?? [];
  const queues = new Set(values.map(({ labels }) => labels['queue']));
  expect([...queues]).toEqual(['preprocess', 'vision', 'vision.local', 'rag', 'llm']);
});

test('a delivery that was put off is as old as the time at which it was due, not as its event', async () => {
  const queue = new Queue('webhooks', { connection: world.redis, prefix: world.prefix });
  await queue.add('deliver', { dueAt: clock - 40_000 }, { timestamp: clock - 24 * 3600_000 });
  await gauges.refresh();
  expect(await gauge('bunri_queue_oldest_seconds', { queue: 'webhooks' })).toBe(40);
  expect(await gauge('bunri_queue_jobs', { queue: 'webhooks', state: 'waiting' })).toBe(1);
  expect(await gauge('bunri_queue_workers', { queue: 'webhooks' })).toBe(0);
  await queue.close();
});

test('a batch is as old as the last look at it, not as the batch', async () => {
  const queue = new Queue('batches', { connection: world.redis, prefix: world.prefix });
  const job = await queue.add('feed', {}, { timestamp: clock - 3600_000 });
  await world.redis.hset(queue.toKey(job.id ?? ''), 'processedOn', clock - 5_000);
  await gauges.refresh();
  expect(await gauge('bunri_queue_oldest_seconds', { queue: 'batches' })).toBe(5);
  await queue.close();
});

test('a queue that an operator has paused, or that waits for a rate limit, is seen', async () => {
  const queue = new Queue('vision', { connection: world.redis, prefix: world.prefix });
  await gauges.refresh();
  expect(await gauge('bunri_queue_paused', { queue: 'vision' })).toBe(0);
  expect(await gauge('bunri_queue_rate_limit_seconds', { queue: 'vision' })).toBe(0);
  await queue.pause();
  await queue.rateLimit(60_000);
  await queue.close();
  await gauges.refresh();
  expect(await gauge('bunri_queue_paused', { queue: 'vision' })).toBe(1);
  expect(await gauge('bunri_queue_rate_limit_seconds', { queue: 'vision' })).toBeGreaterThan(30);
});
