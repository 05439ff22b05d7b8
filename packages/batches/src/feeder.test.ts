import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { BatchLine } from '@bunri/queue-contracts';
import type { Metrics } from '@bunri/runtime';
import { openBatchRig, rowCostUsd, type BatchRig } from './batch-fixture.ts';
import type { BatchStore } from './batch-store.ts';
import { createFeeder } from './feeder.ts';
import type { FeederDeps } from './feeder-deps.ts';
import { readResults } from './read-results.ts';

let rig: BatchRig;
beforeEach(async () => {
  rig = await openBatchRig({ ofBatch: 10, ofAll: 25 });
});
afterEach(async () => {
  await rig.close();
});

async function linesOf(id: string, file: 'results' | 'errors' = 'results'): Promise<BatchLine[]> {
  const state = await rig.store.get(id);
  if (!state) throw new Error(`${id} is gone`);
  let text = '';
  for await (const piece of readResults(rig, state, { file, format: 'jsonl' })) text += piece;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as BatchLine);
}

test('every row of a batch is one request, and its results stand in the order of the rows', async () => {
  const id = await rig.begin(450);
  await rig.runToRest(id, { ...rig.deps, limits: { ofBatch: 90, ofAll: 90 } });
  const batch = await rig.batchOf(id);
  expect(batch).toMatchObject({
    status: 'completed',
    progress: 1,
    counts: { total: 450, completed: 450, in_flight: 0, pending: 0 },
  });
  expect(batch.cost.spent_usd).toBeCloseTo(450 * rowCostUsd);
  expect(rig.accepted).toHaveLength(450);
  const lines = await linesOf(id);
  expect(lines.map(({ row }) => row)).toEqual(Array.from({ length: 450 }, (_, i) => i + 1));
  expect(lines.every(({ row, classification }) => classification?.batch?.row === row)).toBe(true);
  expect(await rig.store.open(10)).toEqual([]);
  // Of each chunk the last results only.
  expect(await rig.objects(`batches/${id}/results/`)).toHaveLength(3);
});

/** A process that dies at its n-th step towards the outside: what it asked for then may have happened, and nothing after it. */
function dyingAt(step: number, deps: FeederDeps, happens: boolean): { deps: FeederDeps; died: () => boolean } {
  let steps = 0;
  const guard =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      steps += 1;
      if (steps > step || (steps === step && !happens)) throw new Error('dead');
      const result = await call(...args);
      if (steps >= step) throw new Error('dead');
      return result;
    };
  const { store, storage, submitRow } = deps;
  return {
    died: () => steps >= step,
    deps: {
      ...deps,
      submitRow: guard(submitRow),
      store: {
        ...store,
        claim: guard(async (...args: Parameters<BatchStore['claim']>) => await store.claim(...args)),
        settle: guard(async (...args: Parameters<BatchStore['settle']>) => await store.settle(...args)),
        rest: guard(async (...args: Parameters<BatchStore['rest']>) => await store.rest(...args)),
        close: guard(async (...args: Parameters<BatchStore['close']>) => await store.close(...args)),
      },
      storage: {
        ...storage,
        put: guard(async (...args: Parameters<typeof storage.put>) => await storage.put(...args)),
      },
    },
  };
}

test('a process may die at any step: another one goes on, every row is one request and has one result', async () => {
  let diedLate = 0;
  for (const happens of [true, false]) {
    for (let step = 1; step <= 16; step += 1) {
      const id = await rig.begin(12);
      const before = rig.accepted.length;
      const dying = dyingAt(step, rig.deps, happens);
      const look = createFeeder(dying.deps);
      try {
        while ((await look(id)) !== null && !dying.died()) await rig.endFlight(id);
      } catch {
        diedLate += 1;
      }
      await rig.runToRest(id);
      expect(await rig.batchOf(id)).toMatchObject({ status: 'completed', counts: { completed: 12 } });
      expect(rig.accepted.length - before).toBe(12);
      expect((await linesOf(id)).map(({ row }) => row)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect((await rig.batchOf(id)).cost.spent_usd).toBeCloseTo(12 * rowCostUsd);
    }
  }
  expect(diedLate).toBeGreaterThan(5);
});

test('two processes that look at the same batch at once lose no result and start no row twice', async () => {
  const id = await rig.begin(60);
  const [one, other] = [createFeeder(rig.deps), createFeeder(rig.deps)];
  let rested = false;
  while (!rested) {
    const waits = await Promise.all([one(id), other(id)]);
    rested = waits.includes(null);
    await rig.endFlight(id);
  }
  expect(rig.accepted).toHaveLength(60);
  expect(await linesOf(id)).toHaveLength(60);
  expect((await rig.batchOf(id)).counts.completed).toBe(60);
});

test('a process that was held up over its results overwrites none that another one has written meanwhile', async () => {
  const id = await rig.begin(10);
  const look = createFeeder(rig.deps);
  await look(id);
  const flight = [...(await rig.store.flight(id)).values()];
  await rig.records.cancel(flight[0] ?? '');
  let isHeldUp = false;
  const put: FeederDeps['storage']['put'] = async (...args) => {
    if (!isHeldUp) {
      isHeldUp = true;
      await rig.endFlight(id);
      await look(id);
    }
    await rig.storage.put(...args);
  };
  await createFeeder({ ...rig.deps, storage: { ...rig.storage, put } })(id);
  await rig.runToRest(id);
  expect(await linesOf(id)).toHaveLength(10);
  expect((await rig.batchOf(id)).counts).toMatchObject({ completed: 9, canceled: 1 });
});

test('who hears late that a row is an earlier request does not bring it back into flight once it is settled', async () => {
  const id = await rig.begin(1);
  await rig.runToRest(id);
  const [line] = await linesOf(id);
  const from = line?.classification?.id ?? '';
  await rig.store.rename(id, 1, { from, to: 'req_'.padEnd(36, '0') });
  expect((await rig.batchOf(id)).counts).toMatchObject({ completed: 1, in_flight: 0 });
});

test('rows that are past their retention fail as such, and the batch comes to its end', async () => {
  const id = await rig.begin(12);
  const look = createFeeder(rig.deps);
  await look(id);
  await rig.storage.remove(await rig.objects(`batches/${id}/rows/`));
  await rig.runToRest(id);
  expect(await rig.batchOf(id)).toMatchObject({ status: 'completed', counts: { completed: 10, failed: 2 } });
  expect((await linesOf(id, 'errors')).map(({ row, error }) => [row, error?.code])).toEqual([
    [11, 'image_missing'],
    [12, 'image_missing'],
  ]);
});

test('each row is counted once in the metrics, by how it ended', async () => {
  const id = await rig.begin(12);
  await Promise.all([rig.runToRest(id), rig.runToRest(id)]);
  const failing = await rig.begin(2);
  await rig.runToRest(failing, rig.deps, () => 'image_undecodable');
  const metrics = rig.deps.metrics as Metrics;
  const { values } = await metrics.batchRows.get();
  expect(values.map(({ labels, value }) => [labels.outcome, value])).toEqual([
    ['completed', 12],
    ['failed', 2],
  ]);
});

test('a hundred thousand rows that are all invalid are told in one step', async () => {
  const { store } = rig;
  const id = 'batch_'.padEnd(38, '2');
  await store.create({ id, owner: 'ann', locale: 'ko', deadlineMs: 60_000 }, { createdAt: Date.now() });
  const invalid = Array.from({ length: 99_999 }, (_, i) => i + 2);
  expect(await store.begin(id, { total: 100_000, estimate: null, invalid, errorFile: [] })).toBe('queued');
  expect((await rig.batchOf(id)).counts).toMatchObject({ invalid: 99_999, pending: 1 });
  expect(await store.outcomes(id, 0)).toBe(`\0${'i'.repeat(199)}`);
  // A byte a row, and what Redis rounds it up to.
  expect(await rig.redis.memory('USAGE', store.keys.outcomes(id))).toBeLessThan(200_000);
});

test('a canceled batch starts no more rows and cancels those in flight; resumed, it runs what is not done', async () => {
  const id = await rig.begin(25);
  const look = createFeeder(rig.deps);
  await look(id);
  await rig.endFlight(id, (row) => (row === 3 ? 'image_undecodable' : 'completed'));
  await look(id);
  expect(await rig.store.stop(id, 'canceled')).toBe(true);
  while ((await look(id)) !== null);
  const { counts, status } = await rig.batchOf(id);
  expect({ counts, status }).toMatchObject({
    status: 'canceled',
    counts: { completed: 9, failed: 1, canceled: 10, pending: 5 },
  });
  const state = await rig.store.get(id);
  expect(state && (await rig.store.resume(state, { retryFailed: true }))).toBe(true);
  // What is to run again has no result until it has.
  expect(await linesOf(id)).toHaveLength(9);
  await rig.runToRest(id);
  expect(await rig.batchOf(id)).toMatchObject({
    status: 'completed',
    counts: { completed: 25, failed: 0, canceled: 0 },
  });
  expect((await linesOf(id)).map(({ status: each }) => each)).toEqual(Array.from({ length: 25 }, () => 'completed'));
  expect(rig.accepted).toHaveLength(36);
});

test('an open batch is as old as what it has to do: one that goes on after a rest begins anew', async () => {
  const { store, redis } = rig;
  const oldestAt = async () => (await store.backlog()).oldestAt ?? 0;
  const id = await rig.begin(1);
  await redis.zadd(store.keys.open, 1_000, id);
  await redis.hset(store.keys.batch(id), 'createdAt', 1_000);
  // Stopped while it is open, it is as old as it was.
  await store.stop(id, 'paused');
  expect(await oldestAt()).toBe(1_000);
  await rig.runToRest(id);
  expect(await store.backlog()).toEqual({ open: 0, oldestAt: null });
  const before = Date.now() - 60_000;
  const state = await store.get(id);
  expect(state && (await store.resume(state, { retryFailed: false }))).toBe(true);
  expect(await oldestAt()).toBeGreaterThan(before);
  await store.stop(id, 'paused');
  await rig.runToRest(id);
  await store.stop(id, 'canceled');
  expect(await oldestAt()).toBeGreaterThan(before);
});

test('past its deadline no row starts, and the batch says so', async () => {
  const id = await rig.begin(20, { deadlineMs: 3_600_000 });
  await createFeeder(rig.deps)(id);
  await rig.redis.hset(rig.store.keys.batch(id), 'deadlineAt', 1);
  await rig.runToRest(id);
  expect(await rig.batchOf(id)).toMatchObject({
    status: 'failed',
    reason: 'deadline_exceeded',
    counts: { completed: 10, pending: 10 },
  });
});

test('a validation that nobody goes on with ends the batch, and one that goes on does not', async () => {
  const { store, deps } = rig;
  const id = 'batch_'.padEnd(38, '0');
  await store.create({ id, owner: 'ann', locale: 'ko', deadlineMs: 1_000 }, { createdAt: Date.now() });
  // Looked at again soon: what it becomes must not wait for a look that was put off.
  expect(await createFeeder(deps)(id)).toBeLessThanOrEqual(1_000);
  expect((await rig.batchOf(id)).status).toBe('validating');
  await createFeeder({ ...deps, now: () => Date.now() + 120_000 })(id);
  expect(await rig.batchOf(id)).toMatchObject({ status: 'failed', reason: 'validation_interrupted' });
});

test('while an owner may spend no more, no row starts and the batch tells why', async () => {
  const id = await rig.begin(5);
  await createFeeder({ ...rig.deps, refusalOf: async () => await Promise.resolve('spending_cap_reached') })(id);
  expect(await rig.batchOf(id)).toMatchObject({
    status: 'queued',
    waiting_for: 'spending_cap_reached',
    counts: { in_flight: 0 },
  });
  await rig.runToRest(id);
  expect(await rig.batchOf(id)).toMatchObject({ status: 'completed', waiting_for: null });
});

test('a batch with a webhook stands in the outbox once it has come to rest, once', async () => {
  const id = 'batch_'.padEnd(38, '1');
  const { store, redis, prefix } = rig;
  const spec = { id, owner: 'ann', locale: 'ko', deadlineMs: 60_000, webhookUrl: 'https://hooks.example/' } as const;
  await store.create(spec, { createdAt: Date.now() });
  await store.stop(id, 'canceled');
  await rig.runToRest(id);
  await store.close(spec);
  expect(await redis.zrange(`${prefix}:outbox`, 0, '-1')).toEqual([`batch.canceled ${id} 1`]);
});
