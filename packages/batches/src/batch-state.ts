import type { Redis } from 'ioredis';
import * as z from 'zod';
import {
  batchIdSchema,
  isBatchSettled,
  locales,
  metadataSchema,
  type Batch,
  type BatchDeletion,
  type BatchReason,
  type BatchStatus,
  type Resource,
} from '@bunri/queue-contracts';
import { nanoUsd } from '@bunri/runtime';
import type { BatchKeys } from './batch-keys.ts';

/** What the client asked for; written once. */
export const batchSpecSchema = z.object({
  id: batchIdSchema,
  owner: z.string().min(1),
  question: z.string().optional(),
  locale: z.enum(locales),
  region: z.string().optional(),
  models: z.array(z.string()).optional(),
  metadata: metadataSchema.optional(),
  webhookUrl: z.url().optional(),
  /** From acceptance, and again from each resumption, to the end of all rows. */
  deadlineMs: z.int().positive(),
});
export type BatchSpec = z.infer<typeof batchSpecSchema>;

/** A batch as the store holds it. Times are epoch milliseconds, money is US dollars. */
export interface BatchState {
  readonly spec: BatchSpec;
  readonly status: BatchStatus;
  readonly reason: BatchReason | null;
  /** What keeps new rows from starting. */
  readonly held: string | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly deadlineAt: number;
  readonly total: number;
  readonly inFlight: number;
  readonly counts: {
    readonly completed: number;
    readonly failed: number;
    readonly canceled: number;
    readonly invalid: number;
  };
  /** The first row that may not have started yet. */
  readonly next: number;
  readonly spentUsd: number;
  readonly maxUsd: number | null;
  /** How often it has come to rest. */
  readonly rests: number;
  /** Of all rows, before the first; null where nobody knows. */
  readonly estimatedUsd: number | null;
  /** When the process that validates it was heard of last, epoch ms; null once that is over. */
  readonly validationSeenAt: number | null;
  /** Of a batch that is being deleted. */
  readonly deletion: BatchRemoval | null;
}

/** How far the deletion of a batch has come. */
export interface BatchRemoval {
  /** Epoch ms. */
  readonly at: number;
  /** Chunks whose rows have no request any more. */
  readonly emptied: number;
  /** Requests that were removed with those. */
  readonly removed: number;
}

export async function readBatch(redis: Redis, keys: BatchKeys, id: string): Promise<BatchState | null> {
  const read = redis.pipeline();
  read.hgetall(keys.batch(id));
  read.hlen(keys.flight(id));
  const answers = await read.exec();
  const failed = answers?.find(([error]) => error !== null)?.[0];
  if (!answers || failed) throw failed ?? new Error('the batch could not be read');
  return parseBatch(answers[0]?.[1] as Record<string, string>, Number(answers[1]?.[1]));
}

function parseBatch(fields: Record<string, string | undefined>, inFlight: number): BatchState | null {
  if (fields['spec'] === undefined) return null;
  const number = (name: string) => Number(fields[name] ?? 0);
  const known = (name: string) => (fields[name] ? Number(fields[name]) : null);
  const usd = (name: string) => (fields[name] ? Number(fields[name]) / nanoUsd : null);
  return {
    spec: batchSpecSchema.parse(JSON.parse(fields['spec'])),
    status: fields['status'] as BatchStatus,
    reason: (fields['reason'] ?? null) as BatchReason | null,
    held: fields['held'] ?? null,
    createdAt: number('createdAt'),
    startedAt: known('startedAt'),
    completedAt: known('completedAt'),
    deadlineAt: number('deadlineAt'),
    total: number('total'),
    inFlight,
    counts: {
      completed: number('completed'),
      failed: number('failed'),
      canceled: number('canceled'),
      invalid: number('invalid'),
    },
    next: number('next'),
    spentUsd: usd('cost') ?? 0,
    maxUsd: usd('maxCost'),
    rests: number('rests'),
    estimatedUsd: usd('estimate'),
    validationSeenAt: known('seenAt'),
    deletion: fields['deletingAt']
      ? { at: Number(fields['deletingAt']), emptied: number('emptied'), removed: number('removed') }
      : null,
  };
}

export const batchPath = '/v1/batches';

/** The batch as clients see it. */
export function toBatch(state: BatchState): Batch {
  const { spec, counts, total, inFlight, estimatedUsd } = state;
  const ended = counts.completed + counts.failed + counts.canceled + counts.invalid;
  const self = `${batchPath}/${spec.id}`;
  const links = Object.fromEntries(
    ['results', 'errors', 'cancel', 'pause', 'resume'].map((name) => [name, `${self}/${name}`]),
  );
  return {
    id: spec.id,
    status: state.status,
    reason: isBatchSettled(state.status) ? state.reason : null,
    waiting_for: state.held,
    created_at: isoTime(state.createdAt),
    started_at: state.startedAt === null ? null : isoTime(state.startedAt),
    completed_at: state.completedAt === null ? null : isoTime(state.completedAt),
    deadline_at: isoTime(state.deadlineAt),
    counts: { total, pending: Math.max(0, total - ended - inFlight), in_flight: inFlight, ...counts },
    progress: total === 0 ? 0 : Math.min(1, ended / total),
    cost: {
      estimated_usd: estimatedUsd === null ? null : rounded(estimatedUsd),
      spent_usd: state.spentUsd,
      max_usd: state.maxUsd,
    },
    metadata: spec.metadata ?? null,
    webhook_url: spec.webhookUrl ?? null,
    links: { self, ...(links as Omit<Batch['links'], 'self'>) },
  };
}

/** The deletion of a batch as its owner sees it, while it goes on. */
export function toDeletion({ spec: { id }, inFlight }: BatchState, { at, removed }: BatchRemoval): BatchDeletion {
  const progress = { in_flight: inFlight, requests_removed: removed, objects_removed: 0 };
  return { id, status: 'deleting', requested_at: isoTime(at), completed_at: null, ...progress };
}

/** What the models cost that answered a request, US dollars. */
export function costOf({ usage }: Pick<Resource, 'usage'>): number {
  return Object.values(usage).reduce((sum, used) => sum + (used?.cost_usd ?? 0), 0);
}

/** To a millionth: more would be noise. */
export function rounded(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
