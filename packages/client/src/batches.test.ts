import { expect, test } from '@jest/globals';
import { createBatchClient, type Batch, type BatchDeletion } from './batches.ts';
import { problem, says, serve, type Handle } from './broken-server.ts';

const id = `batch_${'0'.repeat(32)}`;

const breakOff: Handle = (request) => request.socket.destroy();
const isBatch = (status: Batch['status']) => says(200, { id, status });
const conflict = problem(409, 'batch_state_conflict');

/** A client of an API that answers so, and what the API has seen. */
async function batchesAt(...handlers: Handle[]) {
  const api = await serve(handlers);
  const batches = createBatchClient({ baseUrl: api.url, delay: async () => await Promise.resolve() });
  return { ...api, batches };
}

test('an action whose answer was lost is no conflict when it is told again', async () => {
  const { batches, seen, close } = await batchesAt(breakOff, conflict, isBatch('canceled'));
  expect(await batches.cancel(id)).toEqual({ id, status: 'canceled' });
  expect(seen.map(({ method, path }) => `${method} ${path.slice(-7)}`)).toEqual([
    'POST /cancel',
    'POST /cancel',
    `GET ${'0'.repeat(7)}`,
  ]);
  close();
});

test('a conflict is one where the action was not lost, and where the batch is not what it was to be', async () => {
  const first = await batchesAt(conflict);
  await expect(first.batches.pause(id)).rejects.toMatchObject({ code: 'batch_state_conflict' });
  first.close();
  const other = await batchesAt(breakOff, conflict, isBatch('completed'));
  await expect(other.batches.cancel(id)).rejects.toMatchObject({ code: 'batch_state_conflict' });
  other.close();
});

test('a batch is resumed with what failed and with another cap, and handed in under one key', async () => {
  const { batches, seen, close } = await batchesAt(isBatch('queued'), breakOff, isBatch('queued'));
  await batches.resume(id, { retryFailed: true, maxCostUsd: 2 });
  expect(seen[0]).toMatchObject({ path: `/v1/batches/${id}/resume?retry_failed=true`, body: '{"max_cost_usd":2}' });
  await batches.create(new Blob(['image_url\n']), 'text/csv', { terms: { on_error: 'skip' } });
  const keys = seen.slice(1).map(({ headers }) => headers['idempotency-key']);
  expect(keys[0]).toHaveLength(32);
  expect(keys[1]).toBe(keys[0]);
  expect(seen[2]).toMatchObject({ path: '/v1/batches?on_error=skip', body: 'image_url\n' });
  close();
});

test('a deletion is asked about until nothing is left, also where an answer was lost', async () => {
  const is = (status: 'deleting' | 'deleted', removed: number) => says(200, { id, status, requests_removed: removed });
  const { batches, seen, close } = await batchesAt(is('deleting', 0), breakOff, is('deleting', 2), is('deleted', 3));
  const told: number[] = [];
  const onProgress = ({ requests_removed: removed }: BatchDeletion) => void told.push(removed);
  expect(await batches.delete(id, { onProgress })).toEqual({ id, status: 'deleted', requests_removed: 3 });
  expect(told).toEqual([0, 2, 3]);
  expect(seen.map(({ method, path }) => `${method} ${path}`)).toEqual(Array(4).fill(`DELETE /v1/batches/${id}`));
  close();
});
