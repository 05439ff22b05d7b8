import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeRedis, connectConsumer, createLogger, createMetrics, type Metrics } from '@bunri/runtime';
import { startProcess } from '@bunri/testkit';
import { openBatchRig, type BatchRig } from './batch-fixture.ts';
import { createFeeder } from './feeder.ts';
import { serveBatches, type FeederQueue } from './feeder-queue.ts';

const url = process.env['REDIS_URL'] ?? '';
const lockMs = 1_000;
let rig: BatchRig;
let metrics: Metrics;
let closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  metrics = createMetrics({ app: 'batches', processMetrics: false });
  rig = await openBatchRig({ ofBatch: 10, ofAll: 100 });
});
afterEach(async () => {
  for (const close of closers.toReversed()) await close();
  closers = [];
  await rig.close();
});

async function serve(): Promise<FeederQueue> {
  const log = createLogger({ app: 'batches', level: 'error', silent: true });
  const redis = connectConsumer({ url, name: 'test', log });
  closers.push(async () => await closeRedis(redis));
  const { prefix, store, deps } = rig;
  const look = createFeeder(deps);
  const timing = { repairEveryMs: 100, lockMs, stalledCheckMs: 250 };
  const feeder = await serveBatches({ redis, prefix, store, look, metrics, log, ...timing });
  closers.push(async () => await feeder.close());
  return feeder;
}

async function playUntilCompleted(id: string): Promise<void> {
  while ((await rig.store.get(id))?.status !== 'completed') {
    await rig.endFlight(id);
    await delay(20);
  }
}

test('a batch that a killed process held goes on in another one', async () => {
  const id = await rig.begin(20);
  const { promise: taken, resolve } = Promise.withResolvers<void>();
  const hanging = await startProcess({
    name: 'feeder',
    args: [fileURLToPath(new URL('feeder-process.ts', import.meta.url)), url, rig.prefix, String(lockMs)],
    env: { PATH: process.env['PATH'] },
    onLine: (line) => {
      if (line === `looks at ${id}`) resolve();
    },
  });
  await taken;
  await serve();
  await hanging.stop('SIGKILL');
  await playUntilCompleted(id);
  expect(rig.accepted).toHaveLength(20);
});

test('a batch that nobody was told of is found, and two processes share the work without doing any of it twice', async () => {
  const id = await rig.begin(60);
  await serve();
  const other = await serve();
  await other.wake(id);
  await playUntilCompleted(id);
  expect(rig.accepted).toHaveLength(60);
  while ((await rig.store.open(10)).length > 0) await delay(20);
});

test('how many batches are open, and how old the oldest is, is told', async () => {
  const id = await rig.begin(1);
  await rig.redis.zadd(rig.store.keys.open, Date.now() - 3_600_000, id);
  await serve();
  const told = async (name: string) => {
    const text = await metrics.registry.getSingleMetricAsString(name);
    return Number(/ ([\d.]+)$/.exec(text)?.[1] ?? Number.NaN);
  };
  const waitFor = async (open: number) => {
    while ((await told('bunri_batches_open')) !== open) await delay(20);
    return await told('bunri_batch_oldest_seconds');
  };
  expect(await waitFor(1)).toBeGreaterThanOrEqual(3_600);
  await playUntilCompleted(id);
  expect(await waitFor(0)).toBe(0);
});
