import * as z from 'zod';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import {
  batchCheckSchema,
  batchDeletionSchema,
  batchIdSchema,
  batchLineSchema,
  batchListSchema,
  batchSchema,
  type Batch,
  type BatchLine,
} from '@bunri/queue-contracts';
import { batchPath } from '@bunri/batches';
import { inputTypes } from './batch-input.ts';
import { batchQuerySchema, resumeBodySchema, resumeQuerySchema } from './batch-terms.ts';
import {
  batchCheckExample,
  batchDeletedExample,
  batchDeletingExample,
  batchErrorExample,
  batchExample,
  batchInputExample,
  batchLineExample,
  canceledBatchExample,
  pausedBatchExample,
} from './openapi-batch-examples.ts';
import { batchPageSchema } from './batch-listing.ts';
import { admission, json, problems } from './openapi-parts.ts';
import { idempotencyHeaderField } from './submission.ts';

const path = z.object({ id: batchIdSchema });
const tags = ['batches'];

/** Many photos at once. */
export function batchPaths(): ZodOpenApiPathsObject {
  return {
    [batchPath]: {
      post: createOperation(),
      get: {
        operationId: 'listBatches',
        summary: 'Your batches, newest first',
        tags,
        requestParams: { query: batchPageSchema },
        responses: {
          200: {
            description: 'One page.',
            content: json(batchListSchema, { data: [batchExample], next_cursor: null }),
          },
          ...problems('invalid_request', ...admission),
        },
      },
    },
    [`${batchPath}/{id}`]: {
      get: {
        operationId: 'getBatch',
        summary: 'A batch as it stands',
        tags,
        requestParams: { path },
        responses: {
          200: { description: 'The batch.', content: json(batchSchema, batchExample) },
          ...problems('not_found', ...admission),
        },
      },
      delete: deleteOperation(),
    },
    [`${batchPath}/{id}/cancel`]: {
      post: stopOperation(
        'cancelBatch',
        'Cancel a batch',
        'Rows that have not started never start; those in flight are canceled.',
        canceledBatchExample,
      ),
    },
    [`${batchPath}/{id}/pause`]: {
      post: stopOperation(
        'pauseBatch',
        'Pause a batch',
        'No more rows start; those in flight go on to their end.',
        pausedBatchExample,
      ),
    },
    [`${batchPath}/{id}/resume`]: { post: resumeOperation() },
    [`${batchPath}/{id}/results`]: {
      get: resultsOperation(
        'getBatchResults',
        'Rows that have ended',
        'All rows that have ended by now',
        batchLineExample,
      ),
    },
    [`${batchPath}/{id}/errors`]: {
      get: resultsOperation(
        'getBatchErrors',
        'Rows without an answer',
        'The rows that failed, were canceled or are invalid',
        batchErrorExample,
      ),
    },
  };
}

function createOperation(): ZodOpenApiOperationObject {
  const input = z.string().meta({ override: { contentMediaType: 'application/octet-stream' } });
  const file = z.object({ file: input.meta({ description: 'By its type, or by the ending of its name.' }) });
  return {
    operationId: 'createBatch',
    summary: 'Ask about many photos',
    description:
      'The input is CSV with a header line, JSON Lines, or a ZIP of photos; a `manifest.csv` or `manifest.jsonl` in the ZIP may name the photo of each row as `image`. ' +
      'Columns: `image_url`, `question`, `locale`, `region`, `models`, `metadata.<name>`, `deadline`, `idempotency_key`. Every row is looked at before any row starts; ' +
      'a row starts once, whatever dies on the way.',
    tags,
    requestParams: {
      query: batchQuerySchema,
      header: z.object({ 'Idempotency-Key': idempotencyHeaderField }),
    },
    requestBody: {
      required: true,
      content: {
        ...Object.fromEntries(
          Object.keys(inputTypes).map((type) => {
            const example = type.includes('json') ? { example: batchInputExample } : {};
            return [type, { schema: input, ...example }];
          }),
        ),
        'multipart/form-data': { schema: file },
      },
    },
    responses: {
      200: { description: 'What `validate_only=true` found.', content: json(batchCheckSchema, batchCheckExample) },
      202: { description: 'Accepted; its rows start one after the other.', content: json(batchSchema, batchExample) },
      ...problems(
        ...(['invalid_request', 'body_too_large', 'media_type_unsupported', 'batch_invalid'] as const),
        ...(['idempotency_conflict', 'spending_cap_reached', 'storage_unavailable', 'model_unknown'] as const),
        'batch_state_conflict',
        ...admission,
      ),
    },
  };
}

function deleteOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'deleteBatch',
    summary: 'Remove a batch with all that it left',
    description:
      'Rows that have not started never start, those in flight are canceled; then the requests of all rows are removed as `DELETE` of each would do it, ' +
      'and at last the results, the inputs, the photos of an archive, and the batch. From the first answer on nobody else finds it. ' +
      'It goes on by itself, whatever dies on the way; sent again, it tells how far it has come, and for a day after its end what was removed. ' +
      'What stays: earlier tries of rows that were run again, and requests that a row found by its `idempotency_key`, until their own retention ends; ' +
      'of an `Idempotency-Key`, which is free again, two hashes for the rest of its day; and the ids of canceled rows in the queues, until a worker has passed them over.',
    tags,
    requestParams: { path },
    responses: {
      200: { description: 'Nothing is left.', content: json(batchDeletionSchema, batchDeletedExample) },
      202: {
        description: 'It is being removed. Send the same again to hear of the end.',
        content: json(batchDeletionSchema, batchDeletingExample),
      },
      ...problems('not_found', ...admission),
    },
  };
}

function stopOperation(
  operationId: string,
  summary: string,
  description: string,
  example: Batch,
): ZodOpenApiOperationObject {
  return {
    operationId,
    summary,
    description,
    tags,
    requestParams: { path },
    responses: {
      200: { description: 'The batch.', content: json(batchSchema, example) },
      ...problems('not_found', 'batch_state_conflict', ...admission),
    },
  };
}

function resumeOperation(): ZodOpenApiOperationObject {
  return {
    operationId: 'resumeBatch',
    summary: 'Go on with a batch',
    description:
      'Rows that never started or were canceled run, with as much time as the batch had at first. A batch that paused at its cap needs a higher one.',
    tags,
    requestParams: { path, query: resumeQuerySchema },
    requestBody: { required: false, content: json(resumeBodySchema, { max_cost_usd: 25 }) },
    responses: {
      200: { description: 'The batch.', content: json(batchSchema, batchExample) },
      ...problems(
        ...(['invalid_request', 'body_too_large', 'media_type_unsupported', 'not_found'] as const),
        'batch_state_conflict',
        ...admission,
      ),
    },
  };
}

function resultsOperation(
  operationId: string,
  summary: string,
  what: string,
  example: BatchLine,
): ZodOpenApiOperationObject {
  const csv = z
    .string()
    .meta({ description: 'RFC 4180, with a header line; cells are safe to open in a spreadsheet.' });
  return {
    operationId,
    summary,
    description: `${what}, in the order of the input. An answer that breaks off is not complete.`,
    tags,
    requestParams: { path },
    responses: {
      200: {
        description: 'A line for each row.',
        content: {
          'application/x-ndjson': { schema: batchLineSchema, example },
          'text/csv': { schema: csv },
        },
      },
      ...problems('not_found', 'not_acceptable', 'results_gone', 'storage_unavailable', ...admission),
    },
  };
}
