import type { Redis } from 'ioredis';
import * as z from 'zod';
import { failureCodes, stageNames, type FailureCode, type StageName } from '@bunri/queue-contracts';
import type { Keys } from './keys.ts';
import { parseRecord, stagesLeft, type RequestRecord } from './record.ts';
import type { DeadLetter } from './record-reads.ts';

/** Which dead letters are meant: those that fit all that is given. Times are epoch ms, inclusive, of the failure. */
export interface DeadLetterFilter {
  readonly code?: FailureCode | undefined;
  readonly stage?: StageName | undefined;
  readonly owner?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

const time = z.iso.datetime({ offset: true });

/** The filter as clients write it. */
export const deadLetterFilterFields = {
  code: z.enum(failureCodes).optional().meta({ description: 'Failed with this code.' }),
  stage: z
    .enum(stageNames as [StageName, ...StageName[]])
    .optional()
    .meta({ description: 'Failed in this stage, or waited for it when its deadline passed.' }),
  owner: z.string().min(1).optional().meta({ description: 'Requests of this owner.' }),
  since: time.optional().meta({ description: 'Failed at this time or later.' }),
  until: time.optional().meta({ description: 'Failed at this time or before.' }),
};

const filterSchema = z.object(deadLetterFilterFields);

export function toDeadLetterFilter(given: z.infer<typeof filterSchema>): DeadLetterFilter {
  const { code, stage, owner, since, until } = given;
  const ms = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text));
  return { code, stage, owner, sinceMs: ms(since), untilMs: ms(until) };
}

/** Whether the filter leaves nothing out. */
export function matchesAll(filter: DeadLetterFilter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

/** One dead letter without what the client sent. */
export const deadLetterSchema = z
  .object({
    id: z.string(),
    owner: z.string(),
    failed_at: z.iso.datetime(),
    age_seconds: z.int().nonnegative(),
    code: z.enum(failureCodes),
    stage: z
      .string()
      .nullable()
      .meta({ description: 'Where it failed, or what it waited for when its deadline passed.' }),
    attempts: z.int().nonnegative().meta({ description: 'How often that stage was started.' }),
    retryable: z.boolean().meta({ description: 'Whether the same may succeed unchanged, later.' }),
    generation: z.int().nonnegative().meta({ description: 'How often the request was opened again before.' }),
  })
  .meta({ id: 'DeadLetter' });
export type DeadLetterSummary = z.infer<typeof deadLetterSchema>;

/** The record's stage that keeps it from its answer. */
export function stageOfFailure(record: RequestRecord): StageName | undefined {
  const named = stageNames.find((stage) => stage === record.error?.stage);
  return named ?? stagesLeft(record)[0];
}

function summarize({ id, failedAt }: DeadLetter, record: RequestRecord, now: number): DeadLetterSummary | null {
  const { error, request, generation } = record;
  // Opened again in between: the index entry is about to go.
  if (record.status !== 'failed' || error === null) return null;
  const stage = stageOfFailure(record);
  return {
    id,
    owner: request.owner,
    failed_at: new Date(failedAt).toISOString(),
    age_seconds: Math.max(0, Math.floor((now - failedAt) / 1000)),
    code: error.code,
    stage: stage ?? null,
    attempts: stage === undefined ? 0 : record.stages[stage].attempts,
    retryable: error.retryable,
    generation,
  };
}

function fits(letter: DeadLetterSummary, { code, stage, owner }: DeadLetterFilter): boolean {
  if (code !== undefined && letter.code !== code) return false;
  if (stage !== undefined && letter.stage !== stage) return false;
  return owner === undefined || letter.owner === owner;
}

/** All of a record that a list needs; the outputs stay where they are. */
const summaryFields = ['request', 'status', 'completedAt', 'seq', 'error', 'generation'].concat(
  stageNames.flatMap((stage) => [`${stage}.status`, `${stage}.attempts`]),
);

/** After what the next dead letter comes, newest first; of the same millisecond, by falling id. */
export type Position = DeadLetter;

/** Before everything that failed at or before the time: no id is greater. */
export function startAt(untilMs: number | undefined): Position {
  return { failedAt: untilMs ?? Number.MAX_SAFE_INTEGER, id: '~' };
}

export function formatCursor({ failedAt, id }: Position): string {
  return Buffer.from(`${failedAt}.${id}`).toString('base64url');
}

/** Null for what `formatCursor` has not made. */
export function parseCursor(cursor: string): Position | null {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const [, failedAt, id] = /^(\d{1,16})\.(req_[0-9a-f]{32})$/.exec(text) ?? [];
  return failedAt === undefined || id === undefined ? null : { failedAt: Number(failedAt), id };
}

export function isAfter(entry: Position, position: Position): boolean {
  return entry.failedAt < position.failedAt || (entry.failedAt === position.failedAt && entry.id < position.id);
}

const chunk = 200;

/** One entry of the index that was looked at: a letter that fits, one that cannot be read, or neither. */
export interface Looked {
  readonly position: Position;
  readonly letter: DeadLetterSummary | null;
  readonly unreadable: boolean;
}

/**
 * Reads dead letters by their place in time, not by their rank: entries that come or go meanwhile move nothing. What is
 * read of a record is what the list shows.
 */
export function createDeadLetterIndex({ redis, keys, now }: { redis: Redis; keys: Keys; now: () => number }) {
  async function entriesAfter(position: Position, sinceMs: number | undefined): Promise<DeadLetter[]> {
    // More and more of those that failed in the same millisecond, as a sweep leaves them, until one is new.
    for (let count = chunk; ; count *= 2) {
      const [from, to] = [String(position.failedAt), String(sinceMs ?? '-inf')];
      const range = [keys.dead, from, to, 'BYSCORE', 'REV', 'LIMIT', 0, count, 'WITHSCORES'] as const;
      const flat = await redis.zrange(...range);
      const entries = Array.from({ length: flat.length / 2 }, (_, i) => ({
        id: flat[i * 2] ?? '',
        failedAt: Number(flat[i * 2 + 1]),
      }));
      const later = entries.filter((entry) => isAfter(entry, position));
      if (later.length > 0 || entries.length < count) return later.slice(0, chunk);
    }
  }

  async function look(entries: DeadLetter[], filter: DeadLetterFilter): Promise<Looked[]> {
    const pipeline = redis.pipeline();
    for (const { id } of entries) pipeline.hmget(keys.record(id), ...summaryFields);
    const replies = (await pipeline.exec()) ?? [];
    return entries.map((position, i) => {
      const [error, values] = replies[i] ?? [new Error('Redis left out an answer')];
      if (error) throw error;
      try {
        const record = parseRecord(toFields(values as (string | null)[]));
        const letter = record && summarize(position, record, now());
        return { position, letter: letter && fits(letter, filter) ? letter : null, unreadable: false };
      } catch {
        // One record that is not understood must not hide the others.
        return { position, letter: null, unreadable: true };
      }
    });
  }

  return {
    /** All entries of the filter's time after the position, newest first, as often as somebody asks for more. */
    async *walk(filter: DeadLetterFilter, from: Position): AsyncGenerator<Looked> {
      let position = from;
      for (;;) {
        const entries = await entriesAfter(position, filter.sinceMs);
        const last = entries.at(-1);
        if (!last) return;
        yield* await look(entries, filter);
        position = last;
      }
    },
  };
}

function toFields(values: (string | null)[]): Record<string, string> {
  return Object.fromEntries(
    summaryFields.flatMap((field, i) => {
      const value = values[i];
      return value === null || value === undefined ? [] : [[field, value] as const];
    }),
  );
}
