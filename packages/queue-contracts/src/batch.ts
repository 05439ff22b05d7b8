import * as z from 'zod';
import { failureCodes } from './failures.ts';
import { resourceSchema } from './resource.ts';
import { batchIdSchema, metadataSchema } from './schemas.ts';

export const batchStatuses = ['validating', 'queued', 'running', 'paused', 'completed', 'canceled', 'failed'] as const;
export type BatchStatus = (typeof batchStatuses)[number];

/** Why a batch is paused or failed. */
export const batchReasons = [
  'paused_budget',
  'paused_by_client',
  'rows_invalid',
  'validation_interrupted',
  'deadline_exceeded',
] as const;
export type BatchReason = (typeof batchReasons)[number];

const isoTime = z.iso.datetime();
const count = z.int().nonnegative();
const usd = z.number().nonnegative();

/** What `GET /v1/batches/{id}` answers. */
export const batchSchema = z
  .object({
    id: batchIdSchema,
    status: z.enum(batchStatuses),
    reason: z.enum(batchReasons).nullable().meta({ description: 'Why it is paused or failed.' }),
    waiting_for: z.string().nullable().meta({
      description: 'Code of what keeps new rows from starting for the moment, such as `spending_cap_reached`.',
    }),
    created_at: isoTime,
    started_at: isoTime.nullable(),
    completed_at: isoTime.nullable(),
    deadline_at: isoTime.meta({ description: 'No row starts after it, and none runs longer.' }),
    counts: z.object({
      total: count.meta({ description: 'All rows of the input.' }),
      pending: count,
      in_flight: count,
      completed: count,
      failed: count,
      canceled: count,
      invalid: count.meta({ description: 'Rows that were left out by `on_error=skip`.' }),
    }),
    progress: z.number().min(0).max(1).meta({ description: 'Share of the rows that have ended.' }),
    cost: z.object({
      estimated_usd: usd.nullable().meta({ description: 'An estimate of the whole, made before the first row.' }),
      spent_usd: usd.meta({ description: 'What the rows that have ended cost.' }),
      max_usd: usd.nullable(),
    }),
    metadata: metadataSchema.nullable(),
    webhook_url: z.url().nullable(),
    links: z.object({
      self: z.string(),
      results: z.string(),
      errors: z.string(),
      cancel: z.string(),
      pause: z.string(),
      resume: z.string(),
    }),
  })
  .meta({ id: 'Batch' });
export type Batch = z.infer<typeof batchSchema>;

export const batchListSchema = z
  .object({
    data: z.array(batchSchema),
    next_cursor: z.string().nullable().meta({ description: 'Null on the last page.' }),
  })
  .meta({ id: 'BatchList' });

/** What `DELETE /v1/batches/{id}` answers: how far it has come, and at last what was removed. */
export const batchDeletionSchema = z
  .object({
    id: batchIdSchema,
    status: z.enum(['deleting', 'deleted']),
    requested_at: isoTime,
    completed_at: isoTime.nullable(),
    in_flight: count.meta({ description: 'Rows in flight that are being canceled first.' }),
    requests_removed: count.meta({
      description: 'Requests of its rows that have been removed so far, with what `DELETE` of a request removes.',
    }),
    objects_removed: count.meta({
      description:
        'Result files, inputs, and photos of an archive that have been removed; they go last, and those that a process removed before it died are not counted.',
    }),
  })
  .meta({ id: 'BatchDeletion' });
export type BatchDeletion = z.infer<typeof batchDeletionSchema>;

/** Something wrong with one row of a batch's input. */
export const rowErrorSchema = z.object({
  row: count.meta({ description: 'Rows count from 1, a header line not counted; 0 for the input as a whole.' }),
  field: z.string(),
  message: z.string(),
});
export type RowError = z.infer<typeof rowErrorSchema>;

/** One line of a batch's result file, and of its error file. */
export const batchLineSchema = z
  .object({
    row: z.int().positive(),
    key: z.string().nullable().meta({ description: 'The row’s `idempotency_key`.' }),
    image: z.string().nullable().meta({ description: 'The URL, or the name of the file.' }),
    status: z.enum(['completed', 'failed', 'canceled', 'invalid']),
    classification: resourceSchema.nullable().meta({
      description: 'The request; null where the row never was one, and of a request that was deleted.',
    }),
    error: z
      .object({
        code: z.union([z.enum(failureCodes), z.enum(['row_invalid', 'idempotency_conflict'])]),
        message: z.string(),
      })
      .nullable(),
  })
  .meta({ id: 'BatchLine' });
export type BatchLine = z.infer<typeof batchLineSchema>;

/** What a dry run answers, and what a cost estimate is. */
export const batchCheckSchema = z
  .object({
    valid: z.boolean(),
    rows: count,
    invalid: count,
    estimated_usd: usd.nullable().meta({
      description:
        'An estimate by what such requests have cost of late, else by list prices; null for unpriced models.',
    }),
    errors: z.array(rowErrorSchema).meta({ description: 'The first hundred.' }),
  })
  .meta({ id: 'BatchCheck' });
export type BatchCheck = z.infer<typeof batchCheckSchema>;

const settled: readonly BatchStatus[] = ['paused', 'completed', 'canceled', 'failed'];
/** Whether a batch starts no more rows by itself. */
export function isBatchSettled(status: BatchStatus): boolean {
  return settled.includes(status);
}
