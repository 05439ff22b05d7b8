import { Queue, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import * as z from 'zod';
import {
  buildFlow,
  failureSchema,
  firstStage,
  isDeadLetter,
  locales,
  requestStatuses,
  resourceStageSchema,
  stagesOf,
  stages,
  type FlowNode,
  type ImageSource,
  type StageName,
} from '@bunri/queue-contracts';
import { flowOrder, stageOutput, toResource, type RequestRecord } from './record.ts';
import type { RecordStore } from './records.ts';

const time = z.iso.datetime();

const flowJobSchema = z.object({
  stage: z.string(),
  job_id: z.string(),
  waits_for: z.array(z.string()).meta({ description: 'Stages whose jobs have to end first.' }),
  state: z
    .string()
    .meta({ description: 'As BullMQ has it; `absent` for a job that was not queued or has been cleaned up.' }),
  attempts_made: z.int().nonnegative().nullable(),
  added_at: time.nullable(),
  processed_at: time.nullable().meta({ description: 'When its last run began.' }),
  finished_at: time.nullable(),
  failed_reason: z.string().nullable().meta({ description: 'The error’s own words, cut short; for operators.' }),
});
export type FlowJob = z.infer<typeof flowJobSchema>;

/** A request as an operator needs it: what it refers to, how far it came, and what its jobs do. */
export const inspectionSchema = z
  .object({
    id: z.string(),
    owner: z.string(),
    status: z.enum(requestStatuses),
    dead_letter: z.boolean().meta({ description: 'Whether it failed on our side, and may be retried.' }),
    created_at: time,
    completed_at: time.nullable(),
    deadline_at: time,
    priority: z.string(),
    locale: z.enum(locales),
    generation: z.int().nonnegative().meta({ description: 'How often it was opened again.' }),
    replay_of: z.string().nullable(),
    source: z
      .union([
        z.object({ kind: z.literal('upload'), key: z.string(), sha256: z.string(), size_bytes: z.int() }),
        z.object({ kind: z.literal('url'), url: z.string() }),
        z.object({ kind: z.literal('object'), key: z.string(), size_bytes: z.int() }),
      ])
      .meta({ description: 'Where the photo was taken from; a URL without its query, which may hold a signature.' }),
    image: z.object({ key: z.string(), sha256: z.string() }).nullable(),
    question: z.string().optional().meta({ description: 'Only where it was asked for.' }),
    error: failureSchema.nullable(),
    stages: z.array(
      resourceStageSchema.extend({
        duration_ms: resourceStageSchema.shape.duration_ms.meta({
          description: 'Of a failed stage: from the start of its last run to the failure.',
        }),
        lost: z.int().nonnegative().meta({ description: 'Runs that ended without a word, as with their process.' }),
      }),
    ),
    jobs: z.array(flowJobSchema).meta({ description: 'Of the present generation, in the order of the pipeline.' }),
  })
  .meta({ id: 'Inspection' });
export type Inspection = z.infer<typeof inspectionSchema>;

export interface Inspector {
  /** Null when there is no such record. */
  inspect(id: string, options?: { readonly question?: boolean }): Promise<Inspection | null>;
  close(): Promise<void>;
}

/** Looks at requests and their jobs and changes nothing. */
export function createInspector({ records, prefix }: { records: RecordStore; prefix: string }): Inspector {
  const queues = new Map<StageName, Queue>();
  const queueOf = (stage: StageName) => {
    const queue = queues.get(stage) ?? openQueue(stage, { redis: records.redis, prefix });
    queues.set(stage, queue);
    return queue;
  };
  return {
    async inspect(id, { question = false } = {}) {
      const record = await records.get(id);
      if (!record) return null;
      // The whole tree, so that the jobs of stages that had been done before a retry are shown as absent.
      const nodes = nodesOf(buildFlow({ ...flowOrder(record), from: firstStage, looked: undefined }));
      const jobs = await Promise.all(
        stagesOf(record.request.models).map(async (stage) => await readJob(queueOf(stage), nodes.get(stage))),
      );
      return { ...describe(record), ...(question ? { question: record.request.question } : {}), jobs };
    },
    async close() {
      await Promise.all([...queues.values()].map(async (queue) => await queue.close()));
    },
  };
}

function openQueue(stage: StageName, { redis, prefix }: { redis: Redis; prefix: string }): Queue {
  const queue = new Queue(stages[stage].queue, { connection: redis, prefix });
  // Troubles of the connection are told where it was opened.
  queue.on('error', () => undefined);
  return queue;
}

function nodesOf(root: FlowNode): Map<string, FlowNode> {
  return new Map([[root.name, root], ...(root.children ?? []).flatMap((child) => [...nodesOf(child)])]);
}

const longestReason = 300;

async function readJob(queue: Queue, node: FlowNode | undefined): Promise<FlowJob> {
  if (!node) throw new Error(`the flow has no job for ${queue.name}`);
  const jobId = node.opts.jobId;
  const job = (await queue.getJob(jobId)) as Job | undefined;
  const state = job ? await job.getState() : 'unknown';
  const at = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    stage: node.name,
    job_id: jobId,
    waits_for: (node.children ?? []).map(({ name }) => name),
    // Gone between the two looks, or before.
    state: state === 'unknown' ? 'absent' : state,
    attempts_made: job?.attemptsMade ?? null,
    added_at: at(job?.timestamp),
    processed_at: at(job?.processedOn),
    finished_at: at(job?.finishedOn),
    failed_reason: job?.failedReason ? job.failedReason.slice(0, longestReason) : null,
  };
}

function describe(record: RequestRecord): Omit<Inspection, 'jobs'> {
  const { request, status, error, generation } = record;
  const resource = toResource(record);
  const image = stageOutput(record, 'preprocess');
  return {
    id: request.id,
    owner: request.owner,
    status,
    dead_letter: status === 'failed' && error !== null && isDeadLetter(error.code),
    created_at: resource.created_at,
    completed_at: resource.completed_at,
    deadline_at: resource.deadline_at,
    priority: request.priority,
    locale: request.locale,
    generation,
    replay_of: resource.replay_of,
    source: reference(request.source),
    image: image && { key: image.key, sha256: image.sha256 },
    error,
    stages: stagesOf(request.models).flatMap((name) => {
      const shown = resource.stages.find((stage) => stage.name === name);
      const { lost } = record.stages[name];
      return shown ? [{ ...shown, duration_ms: durationOf(record, name), lost }] : [];
    }),
  };
}

function durationOf({ stages: of, completedAt }: RequestRecord, name: StageName): number | null {
  const { status, startedAt, durationMs } = of[name];
  if (status !== 'failed') return durationMs;
  return startedAt === null || completedAt === null ? null : Math.max(0, completedAt - startedAt);
}

function reference(source: ImageSource): Inspection['source'] {
  if (source.kind === 'upload') {
    const { kind, key, sha256, sizeBytes } = source;
    return { kind, key, sha256, size_bytes: sizeBytes };
  }
  if (source.kind === 'object') return { kind: source.kind, key: source.key, size_bytes: source.sizeBytes };
  const { origin, pathname } = new URL(source.url);
  return { kind: 'url', url: `${origin}${pathname}` };
}
