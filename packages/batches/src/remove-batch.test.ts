import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { BatchLine } from '@bunri/queue-contracts';
import { openBatchRig, type BatchRig } from './batch-fixture.ts';
import { batchObjects } from './batch-keys.ts';
import { createFeeder } from './feeder.ts';
import { newBatchId } from './batch-store.ts';
import type { FeederDeps } from './feeder-deps.ts';
import { putResults } from './chunks.ts';
import { readResults } from './read-results.ts';
import { redactRow } from './redact-row.ts';

let rig: BatchRig;
beforeEach(async () => {
  rig = await openBatchRig({ ofBatch: 300, ofAll: 300 });
});
afterEach(async () => {
  await rig.close();
});

/** Deletes it to the end. @returns how many looks that took */
async function removeAll(id: string, deps: FeederDeps = rig.deps): Promise<number> {
  const look = createFeeder(deps);
  let looks = 0;
  for (let waitMs: number | null = 0; waitMs !== null; looks += 1) waitMs = await look(id);
  return looks;
}

const keysLeft = async (id: string) => (await rig.redis.keys(`${rig.prefix}:batch:${id}*`)).toSorted();

test('a batch that ended is removed with its requests and objects; only the receipt is left, for its owner alone', async () => {
  const id = await rig.begin(250);
  await rig.storage.put(batchObjects.photo(id, 1), Buffer.from('photo'), 'image/jpeg');
  await rig.runToRest(id);
  expect(await rig.store.condemn(id)).toBe(true);
  await removeAll(id);
  expect(await rig.objects(`batches/${id}/`)).toEqual([]);
  expect(await rig.objects(batchObjects.photos(id))).toEqual([]);
  expect(await keysLeft(id)).toEqual([rig.store.keys.deletion(id)]);
  expect([await rig.store.open(10), await rig.store.listIds('ann', Date.now() + 1, 10)]).toEqual([[], []]);
  for (const requestId of rig.accepted) expect(await rig.records.get(requestId)).toBeNull();
  // Two chunks of rows, two of results, and a photo.
  const counts = { requests_removed: 250, objects_removed: 5, in_flight: 0 };
  expect(await rig.store.receipt(id, 'ann')).toMatchObject({ id, status: 'deleted', ...counts });
  expect(await rig.store.receipt(id, 'bob')).toBeNull();
  expect(await rig.store.condemn(id)).toBe(false);
});

test('a batch that runs starts no more rows, its rows in flight are canceled, and then all of it goes', async () => {
  const id = await rig.begin(500);
  await createFeeder(rig.deps)(id);
  expect(rig.accepted).toHaveLength(300);
  await rig.store.condemn(id);
  const state = await rig.store.get(id);
  if (!state) throw new Error('it is gone');
  expect([state.status, state.deletion?.removed]).toEqual(['canceled', 0]);
  expect(await rig.store.resume(state, { retryFailed: true })).toBe(false);
  expect(await rig.store.stop(id, 'canceled')).toBe(false);
  await removeAll(id);
  expect(rig.accepted).toHaveLength(300);
  expect(await rig.store.receipt(id, 'ann')).toMatchObject({ requests_removed: 300 });
  expect([await rig.store.get(id), await rig.redis.hgetall(rig.store.keys.inFlight)]).toEqual([null, {}]);
});

test('a request that a row found by its own idempotency key stays', async () => {
  const id = await rig.begin(2);
  const { id: earlier } = await rig.records.accept({
    id: `req_${'0'.repeat(32)}`,
    owner: 'ann',
    question: '',
    locale: 'ko',
    source: { kind: 'url', url: 'https://example.com/a.jpg' },
    priority: 'batch',
    createdAt: Date.now(),
    deadlineAt: Date.now() + 60_000,
  });
  const submitRow: FeederDeps['submitRow'] = async (request, key) =>
    request.batch?.row === 1 ? { outcome: 'accepted', id: earlier } : await rig.deps.submitRow(request, key);
  await rig.runToRest(id, { ...rig.deps, submitRow });
  await rig.store.condemn(id);
  await removeAll(id);
  expect(await rig.records.get(earlier)).not.toBeNull();
  expect(await rig.store.receipt(id, 'ann')).toMatchObject({ requests_removed: 1 });
});

test('a process may die at any step of a deletion: another one ends it, and the receipt tells the same', async () => {
  for (let step = 1; step <= 9; step += 1) {
    const id = await rig.begin(3);
    await rig.runToRest(id);
    await rig.store.condemn(id);
    let steps = 0;
    const guard =
      <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
      async (...args: Args): Promise<Result> => {
        steps += 1;
        if (steps > step) throw new Error('dead');
        const result = await call(...args);
        // What was asked for has happened, and nobody hears of it.
        if (steps === step) throw new Error('dead');
        return result;
      };
    const { store, storage, removeRequest } = rig.deps;
    const dying: FeederDeps = {
      ...rig.deps,
      removeRequest: guard(removeRequest),
      storage: {
        ...storage,
        remove: guard(async (...args: Parameters<typeof storage.remove>) => await storage.remove(...args)),
      },
      store: {
        ...store,
        emptied: guard(async (...args: Parameters<typeof store.emptied>) => await store.emptied(...args)),
        erase: guard(async (...args: Parameters<typeof store.erase>) => await store.erase(...args)),
      },
    };
    await removeAll(id, dying).catch(() => undefined);
    await removeAll(id);
    expect(await rig.store.receipt(id, 'ann')).toMatchObject({ status: 'deleted', requests_removed: 3 });
    expect(await keysLeft(id)).toEqual([rig.store.keys.deletion(id)]);
    expect(await rig.objects(`batches/${id}/`)).toEqual([]);
  }
});

test('a request that is open again is waited for', async () => {
  const id = await rig.begin(1);
  await rig.runToRest(id);
  await rig.store.condemn(id);
  let refusals = 2;
  const removeRequest: FeederDeps['removeRequest'] = async (...args) =>
    (refusals -= 1) < 0 && (await rig.deps.removeRequest(...args));
  expect(await removeAll(id, { ...rig.deps, removeRequest })).toBeGreaterThan(3);
  expect(await rig.store.receipt(id, 'ann')).toMatchObject({ requests_removed: 1 });
});

test('the idempotency key of a batch that is being deleted is free', async () => {
  const spec = { owner: 'ann', locale: 'ko', deadlineMs: 60_000 } as const;
  const given = { createdAt: Date.now(), idempotency: { key: 'k', fingerprint: 'f' } };
  const [first, second] = [`batch_${'1'.repeat(32)}`, `batch_${'2'.repeat(32)}`];
  await rig.store.create({ ...spec, id: first }, given);
  await rig.store.condemn(first);
  expect(await rig.store.create({ ...spec, id: second }, given)).toEqual({ outcome: 'created', id: second });
});

async function linesOf(id: string) {
  const state = await rig.store.get(id);
  if (!state) throw new Error('it is gone');
  let text = '';
  for await (const piece of readResults(rig, state, { file: 'results', format: 'jsonl' })) text += piece;
  return text;
}

test('of a request that is deleted its batch tells how it ended, and nothing else, also while others write the results', async () => {
  const id = await rig.begin(3);
  await rig.runToRest(id);
  const requestId = rig.accepted.find((_, i) => i === 1) ?? '';
  const record = await rig.records.get(requestId);
  if (!record) throw new Error('there is no record');
  // Somebody else has written between the look and the change.
  let others = 1;
  const put: typeof rig.storage.put = async (...args) => {
    await rig.storage.put(...args);
    if ((others -= 1) < 0) return;
    const version = await rig.store.resultVersion(id, 0);
    const same = await rig.storage.getBytes(batchObjects.results(id, 0, version));
    const lines = Buffer.from(same ?? [])
      .toString()
      .trim()
      .split('\n');
    const written = await putResults(
      rig.storage,
      id,
      0,
      lines.map((line) => JSON.parse(line) as never),
    );
    await rig.store.settle(id, 0, { read: version, written }, []);
  };
  const { store, metrics, log } = rig.deps;
  await redactRow({ store, metrics, log, storage: { ...rig.storage, put } }, record);
  expect(others).toBeLessThan(0);
  const text = await linesOf(id);
  expect(text).not.toContain(requestId);
  const lines = text
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one) as BatchLine);
  const line = lines.find(({ classification }) => classification === null);
  expect(line).toMatchObject({
    row: record.request.batch?.row,
    status: 'completed',
    classification: null,
    error: null,
  });
  for (const other of rig.accepted.filter((one) => one !== requestId)) expect(text).toContain(other);
  expect((await rig.batchOf(id)).counts).toMatchObject({ completed: 3 });
  expect(await rig.objects(`batches/${id}/results/`)).toHaveLength(2);
  await redactRow(rig.deps, record);
});

test('a process that was held up with a result in its hands does not bring it back once it has been redacted', async () => {
  const id = await rig.begin(2);
  const look = createFeeder(rig.deps);
  await look(id);
  await rig.endFlight(id);
  let isHeldUp = false;
  const get: FeederDeps['records']['get'] = async (requestId) => {
    const record = await rig.records.get(requestId);
    if (isHeldUp || !record) return record;
    isHeldUp = true;
    await look(id);
    await redactRow(rig.deps, record);
    return record;
  };
  await createFeeder({ ...rig.deps, records: { ...rig.deps.records, get } })(id);
  expect(isHeldUp).toBe(true);
  const [first, second] = rig.accepted;
  const text = await linesOf(id);
  expect([first, second].filter((requestId = '') => text.includes(requestId))).toHaveLength(1);
});

test('each step of a deletion counts once, and is for a batch that is being deleted and rests', async () => {
  const id = await rig.begin(2);
  const stateOf = async () => {
    const state = await rig.store.get(id);
    if (!state) throw new Error('it is gone');
    return state;
  };
  const { spec } = await stateOf();
  const receipt = { at: Date.now(), requests: 0, objects: 0 };
  expect(await rig.store.erase(spec, receipt)).toBe(false);
  await rig.store.stop(id, 'canceled');
  await rig.store.condemn(id);
  // Canceled and with nothing in flight, it could be gone on with otherwise.
  expect(await rig.store.resume(await stateOf(), { retryFailed: false })).toBe(false);
  for (let told = 0; told < 2; told += 1) await rig.store.emptied(id, { before: 0, removed: 2 });
  expect((await stateOf()).deletion).toMatchObject({ emptied: 1, removed: 2 });
  await rig.redis.hset(rig.store.keys.flight(id), '1', 'req_1');
  expect(await rig.store.erase(spec, receipt)).toBe(false);
  await rig.redis.unlink(rig.store.keys.flight(id));
  expect(await rig.store.erase(spec, receipt)).toBe(true);
});

test('a batch that is being validated is deleted once that is over: what was still written goes, too', async () => {
  const spec = { id: newBatchId(), owner: 'ann', locale: 'ko', deadlineMs: 60_000 } as const;
  const { id } = spec;
  const line = { row: 1, key: null, image: null, status: 'invalid', classification: null, error: null } as const;
  await rig.store.create(spec, { createdAt: Date.now() });
  await rig.store.condemn(id);
  const look = createFeeder(rig.deps);
  expect([await look(id), await rig.store.seen(id), await look(id)]).toEqual([1_000, 'canceled', 1_000]);
  const errorFile = [[0, await putResults(rig.storage, id, 0, [line])]] as const;
  expect(await rig.store.begin(id, { total: 1, estimate: null, invalid: [1], errorFile })).toBe('gone');
  expect(await rig.store.seen(id)).toBe('canceled');
  expect(await look(id)).toBeNull();
  expect([await rig.objects(`batches/${id}/`), await keysLeft(id)]).toEqual([[], [rig.store.keys.deletion(id)]]);
});

test('of a batch whose validation was refused or died while it was being deleted nothing is left either', async () => {
  for (const how of ['refused', 'died']) {
    const spec = { id: newBatchId(), owner: 'ann', locale: 'ko', deadlineMs: 60_000 } as const;
    await rig.store.create(spec, { createdAt: Date.now() });
    await rig.store.condemn(spec.id);
    await rig.storage.put(batchObjects.photo(spec.id, 1), Buffer.from('photo'), 'image/jpeg');
    expect(await createFeeder(rig.deps)(spec.id)).toBe(1_000);
    const status = how === 'refused' ? await rig.store.refuse(spec, { reason: 'rows_invalid' }) : 'gone';
    expect(status).toBe('gone');
    const now = how === 'died' ? () => Date.now() + 120_000 : Date.now;
    expect(await createFeeder({ ...rig.deps, now })(spec.id)).toBeNull();
    expect(await rig.objects(batchObjects.photos(spec.id))).toEqual([]);
  }
});

test('who settles a row late brings nothing of an erased batch back', async () => {
  const id = await rig.begin(1);
  await rig.runToRest(id);
  await rig.store.condemn(id);
  await removeAll(id);
  const row = { row: 1, requestId: rig.accepted[0] ?? '', outcome: 'completed', costUsd: 0 } as const;
  expect(await rig.store.settle(id, 0, { read: '', written: 'late' }, [row])).toBeNull();
  expect(await keysLeft(id)).toEqual([rig.store.keys.deletion(id)]);
});
