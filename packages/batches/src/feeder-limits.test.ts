import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openBatchRig, type BatchRig } from './batch-fixture.ts';
import { createFeeder } from './feeder.ts';

let rig: BatchRig;
beforeEach(async () => {
  rig = await openBatchRig({ ofBatch: 10, ofAll: 25 });
});
afterEach(async () => {
  await rig.close();
});

test('no more rows are in flight than the batch and all batches together may have, and the room is shared', async () => {
  const [first, second, third] = [await rig.begin(50), await rig.begin(50), await rig.begin(50)];
  const look = createFeeder(rig.deps);
  for (const id of [first, second, third]) await look(id);
  const inFlight = async (id: string) => (await rig.batchOf(id)).counts.in_flight;
  expect(await inFlight(first)).toBe(10);
  expect((await inFlight(first)) + (await inFlight(second)) + (await inFlight(third))).toBeLessThanOrEqual(25);
  expect(await inFlight(third)).toBeGreaterThan(0);
});

test('a batch that comes when all room is taken gets its share of what becomes free', async () => {
  const [first, second] = [await rig.begin(50), await rig.begin(50)];
  const look = createFeeder({ ...rig.deps, limits: { ofBatch: 10, ofAll: 10 } });
  await look(first);
  await look(second);
  expect((await rig.batchOf(second)).counts.in_flight).toBe(0);
  await rig.endFlight(first);
  // The first one comes first again.
  await look(first);
  await look(second);
  expect((await rig.batchOf(first)).counts.in_flight).toBe(5);
  expect((await rig.batchOf(second)).counts.in_flight).toBe(5);
});

test('at its cap a batch pauses before the rows in flight could pass it, and goes on with a higher one', async () => {
  const id = await rig.begin(30, { maxUsd: 0.155, rowEstimateUsd: 0.01 });
  await rig.runToRest(id);
  const paused = await rig.batchOf(id);
  expect(paused).toMatchObject({ status: 'paused', reason: 'paused_budget', counts: { completed: 15, pending: 15 } });
  expect(paused.cost.spent_usd).toBeLessThanOrEqual(0.155);
  const state = await rig.store.get(id);
  expect(state && (await rig.store.resume(state, { retryFailed: false, maxUsd: 1 }))).toBe(true);
  await rig.runToRest(id);
  expect(await rig.batchOf(id)).toMatchObject({ status: 'completed', reason: null, counts: { completed: 30 } });
  expect(rig.accepted).toHaveLength(30);
});

test('rows that cost nothing do not open a cap for those behind them', async () => {
  const id = await rig.begin(30, { maxUsd: 0.055, rowEstimateUsd: 0.01 });
  await createFeeder(rig.deps)(id);
  await rig.endFlight(id, () => 'image_undecodable');
  await rig.runToRest(id);
  const { status, cost, counts } = await rig.batchOf(id);
  expect({ status, counts }).toMatchObject({ status: 'paused', counts: { failed: 5, completed: 5 } });
  expect(cost.spent_usd).toBeLessThanOrEqual(0.055);
});

test('under a cap one row runs alone first where nobody can estimate what it costs', async () => {
  const id = await rig.begin(30, { maxUsd: 0.055, rowEstimateUsd: null });
  const look = createFeeder(rig.deps);
  await look(id);
  expect((await rig.batchOf(id)).counts.in_flight).toBe(1);
  await rig.runToRest(id);
  expect(await rig.batchOf(id)).toMatchObject({
    status: 'paused',
    counts: { completed: 5 },
    cost: { spent_usd: 0.05 },
  });
});
