import { expect, test } from '@jest/globals';
import type { BatchState } from '@bunri/batches';
import { batchEvents } from './batch-events.ts';

const state = {
  spec: {
    id: `batch_${'a'.repeat(32)}`,
    owner: 'ann',
    webhookUrl: 'https://example.com/',
  },
  status: 'completed',
  reason: null,
  held: null,
  createdAt: 0,
  startedAt: 1,
  completedAt: 2,
  deadlineAt: 3,
  total: 1,
  inFlight: 0,
  counts: { completed: 1, failed: 0, canceled: 0, invalid: 0 },
  next: 2,
  spentUsd: 0,
  maxUsd: null,
  rests: 2,
  estimatedUsd: null,
} as unknown as BatchState;

const source = (found: BatchState | null) => batchEvents({ get: async () => await Promise.resolve(found) });

test('a batch is told to its owner’s URL, under the number of its rest, as clients see it', async () => {
  expect(await source(state).addressee('x')).toEqual({ owner: 'ann', url: 'https://example.com/' });
  expect(await source(state).read('x')).toMatchObject({ seq: 2, data: { id: state.spec.id, status: 'completed' } });
});

test('one that goes on again has another rest to be told of, and one that is gone none', async () => {
  expect(await source({ ...state, status: 'running' }).read('x')).toMatchObject({ seq: 3 });
  expect(await source(null).read('x')).toBeNull();
  expect(await source(null).addressee('x')).toBeNull();
});
