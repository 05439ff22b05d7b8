import * as z from 'zod';
import { failureCodes, failureSchema } from './failures.ts';
import {
  batchIdSchema,
  clarificationSchema,
  classificationSchema,
  engineSchema,
  guidanceSchema,
  locales,
  metadataSchema,
  modelsSchema,
  requestIdSchema,
  sha256Schema,
  usageSchema,
} from './schemas.ts';

export const requestStatuses = ['queued', 'running', 'completed', 'failed', 'canceled'] as const;
export type RequestStatus = (typeof requestStatuses)[number];

export const stageStatuses = ['pending', 'running', 'completed', 'failed', 'skipped'] as const;
export type StageStatus = (typeof stageStatuses)[number];

const isoTime = z.iso.datetime();

export const resourceStageSchema = z.object({
  name: z.string(),
  status: z.enum(stageStatuses),
  started_at: isoTime.nullable(),
  duration_ms: z.number().nonnegative().nullable(),
  attempts: z.int().nonnegative().meta({ description: 'How often the stage was started, lost workers included.' }),
  cached: z.boolean(),
  engine: engineSchema.nullable().meta({ description: 'Who answered, in the stages that ask a model.' }),
  degraded: z.enum(failureCodes).nullable().meta({
    description:
      'Why a fallback made the output of this stage, or, of one that failed, why the answer goes without it; else null.',
  }),
});

/** What `GET /v1/classifications/{id}` answers. */
export const resourceSchema = z
  .object({
    id: requestIdSchema,
    status: z.enum(requestStatuses),
    created_at: isoTime,
    completed_at: isoTime.nullable(),
    deadline_at: isoTime,
    stages: z.array(resourceStageSchema),
    image: z.object({ sha256: sha256Schema, width: z.int(), height: z.int() }).nullable(),
    question: z.string(),
    locale: z.enum(locales),
    classification: classificationSchema.nullable(),
    guidance: guidanceSchema.nullable(),
    clarification: clarificationSchema
      .extend({
        answered_by: requestIdSchema
          .nullable()
          .meta({ description: 'The request that goes on with the latest answer to the question.' }),
      })
      .nullable()
      .meta({ description: 'Where it was not certain what the thing is; the guidance is for the likeliest then.' }),
    clarifies: requestIdSchema
      .nullable()
      .meta({ description: 'The request that this one goes on from, with what the person said that the thing is.' }),
    usage: z.object({ vision: usageSchema, llm: usageSchema }).partial(),
    cached: z.boolean().meta({ description: 'True when no model was called for this request.' }),
    degraded: z.boolean().meta({ description: 'True when a fallback made part of the answer; the stages say why.' }),
    replay_of: requestIdSchema.nullable().meta({ description: 'The request that this one repeats for comparison.' }),
    models: modelsSchema
      .nullable()
      .meta({ description: 'Who was asked to look at the photo; null for the usual model.' }),
    region: z
      .object({
        asked: z.string(),
        applied: z.string().nullable().meta({
          description:
            'The municipality whose rules were used; null where none are known, and the national rules answered.',
        }),
      })
      .nullable(),
    metadata: metadataSchema.nullable().meta({ description: 'As the client sent it.' }),
    webhook_url: z.url().nullable(),
    batch: z.object({ id: batchIdSchema, row: z.int().positive() }).nullable(),
    trace_id: z
      .string()
      .regex(/^[0-9a-f]{32}$/)
      .nullable()
      .meta({ description: 'The trace of its exchange and of all its stages; null where it is not traced.' }),
    error: failureSchema.nullable(),
  })
  .meta({ id: 'Classification' });
export type Resource = z.infer<typeof resourceSchema>;

export const eventTypes = [
  'accepted',
  'stage.started',
  'stage.completed',
  'stage.retrying',
  'stage.released',
  'stage.failed',
  'answer.delta',
  'completed',
  'failed',
  'canceled',
  'retried',
] as const;

/**
 * One entry of a request's event stream. `seq` counts from 1 without gaps and is the SSE event id; of a very long
 * stream the oldest entries go. An `answer.delta`
 * carries `{ offset, text }`: the text belongs at that character offset of the answer, and offset 0 starts afresh. After
 * `retried` a request that had failed is open again.
 */
export const eventSchema = z.object({
  seq: z.int().positive(),
  type: z.string().meta({ description: `One of ${eventTypes.join(', ')}; more may come, and readers pass over them.` }),
  at: z.int(),
  data: z.record(z.string(), z.unknown()),
});
export type RequestEvent = z.infer<typeof eventSchema>;

const terminal: readonly RequestStatus[] = ['completed', 'failed', 'canceled'];
export function isTerminal(status: RequestStatus): boolean {
  return terminal.includes(status);
}
