import type { Batch, BatchCheck, BatchDeletion, BatchLine } from '@bunri/queue-contracts';
import { resourceExample } from './openapi-examples.ts';

const id = 'batch_019a7c3e5d2f7b1c8e4a6f0d3b5c7e91';
const self = `/v1/batches/${id}`;
const counts = { total: 200, pending: 140, in_flight: 10, completed: 49, failed: 1, canceled: 0, invalid: 0 };

/** A batch a quarter of the way. */
export const batchExample: Batch = {
  id,
  status: 'running',
  reason: null,
  waiting_for: null,
  created_at: '2026-11-22T09:00:00.000Z',
  started_at: '2026-11-22T09:00:02.000Z',
  completed_at: null,
  deadline_at: '2026-11-23T09:00:00.000Z',
  counts,
  progress: 0.25,
  cost: { estimated_usd: 2.9, spent_usd: 0.71, max_usd: 5 },
  metadata: null,
  webhook_url: null,
  links: {
    self,
    results: `${self}/results`,
    errors: `${self}/errors`,
    cancel: `${self}/cancel`,
    pause: `${self}/pause`,
    resume: `${self}/resume`,
  },
};

const halted = { ...counts, pending: 150, in_flight: 0 };
export const canceledBatchExample: Batch = {
  ...batchExample,
  status: 'canceled',
  completed_at: '2026-11-22T09:05:00.000Z',
  counts: { ...halted, pending: 0, canceled: 150 },
  progress: 1,
};
export const pausedBatchExample: Batch = {
  ...batchExample,
  status: 'paused',
  reason: 'paused_by_client',
  counts: halted,
};

export const batchDeletingExample: BatchDeletion = {
  id,
  status: 'deleting',
  requested_at: '2026-11-22T09:10:00.000Z',
  completed_at: null,
  in_flight: 10,
  requests_removed: 0,
  objects_removed: 0,
};
export const batchDeletedExample: BatchDeletion = {
  ...batchDeletingExample,
  status: 'deleted',
  completed_at: '2026-11-22T09:10:06.000Z',
  in_flight: 0,
  requests_removed: 60,
  objects_removed: 2,
};

export const batchCheckExample: BatchCheck = {
  valid: false,
  rows: 200,
  invalid: 1,
  estimated_usd: 2.9,
  errors: [{ row: 17, field: 'image_url', message: 'must be given' }],
};

export const batchLineExample: BatchLine = {
  row: 1,
  key: 'bottle-1',
  image: 'https://example.com/bottle.jpg',
  status: 'completed',
  classification: { ...resourceExample, batch: { id, row: 1 } },
  error: null,
};

export const batchErrorExample: BatchLine = {
  ...batchLineExample,
  row: 17,
  status: 'failed',
  classification: null,
  error: { code: 'image_url_unreachable', message: 'The image URL answered with status 404.' },
};

export const batchInputExample = '{"image_url":"https://example.com/bottle.jpg","question":"뚜껑은요?"}\n';
