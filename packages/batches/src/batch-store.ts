import type { Redis } from 'ioredis';
import type { BatchLine, BatchReason, BatchStatus } from '@bunri/queue-contracts';
import { createKeys, nanoUsd, newRequestId, type Idempotency } from '@bunri/runtime';
import { createBatchKeys, firstRowOf, ofBatch, rowsPerChunk } from './batch-keys.ts';
import { batchRetentionMs, batchScriptRunner } from './batch-scripts.ts';
import { createBatchRemovals } from './batch-removals.ts';
import { readBatch, type BatchSpec, type BatchState } from './batch-state.ts';

/** Rows of a batch in flight, and of all batches together. */
export interface FlightLimits {
  readonly ofBatch: number;
  readonly ofAll: number;
}
export const defaultFlightLimits: FlightLimits = { ofBatch: 200, ofAll: 1_000 };

export interface Claimed {
  /** Rows with the ids of their requests. */
  readonly rows: ReadonlyMap<number, string>;
  /** Why not all could start. */
  readonly stopped: 'room' | 'budget' | 'closed' | null;
}

export interface SettledRow {
  readonly row: number;
  readonly requestId: string;
  readonly outcome: Exclude<BatchLine['status'], 'invalid'>;
  readonly costUsd: number;
}

/** What a batch may cost, US dollars. */
export interface CostEstimate {
  readonly totalUsd: number;
  readonly dearestRowUsd: number;
}

/** Chunks with the versions of their result objects. */
export type ResultVersions = readonly (readonly [chunk: number, version: string])[];

export type BatchStore = ReturnType<typeof createBatchStore>;

const idempotencyTtlMs = 24 * 3600 * 1000;

/** A time-ordered id. */
export function newBatchId(): string {
  return newRequestId().replace('req_', 'batch_');
}

/** What is known of batches beside their objects. Every method that changes one is one atomic script and may be repeated. */
export function createBatchStore({ redis, prefix, now }: { redis: Redis; prefix: string; now?: () => number }) {
  const keys = createBatchKeys(prefix);
  const script = batchScriptRunner(redis);
  const at = () => (now ? now() : '');
  const all = (id: string) => ofBatch(keys, id);

  return {
    keys,
    redis,

    /** Writes a batch that is about to be validated, and claims its idempotency key in the same step. */
    async create(
      spec: BatchSpec,
      {
        createdAt,
        idempotency,
        maxUsd,
      }: { createdAt: number; idempotency?: Idempotency | undefined; maxUsd?: number | undefined },
    ): Promise<{ outcome: 'created' | 'existing' | 'conflict'; id: string }> {
      const { id, owner, deadlineMs } = spec;
      const claim = idempotency ? [keys.idempotency(owner, idempotency.key)] : [];
      const reply = await script(
        'create',
        [keys.batch(id), keys.open, keys.owner(owner), ...claim],
        [
          at(),
          id,
          JSON.stringify(spec),
          createdAt + deadlineMs,
          idempotency?.fingerprint ?? '',
          idempotencyTtlMs,
          keys.batch(''),
          maxUsd === undefined ? '' : toNano(maxUsd),
        ],
      );
      return { outcome: reply[0] as 'created' | 'existing' | 'conflict', id: reply[1] ?? id };
    },

    ...createBatchRemovals({ redis, keys, script, now }),

    async get(id: string): Promise<BatchState | null> {
      return await readBatch(redis, keys, id);
    },

    /** Says that the validation goes on. @returns the status, which may be another by now. */
    async seen(id: string): Promise<BatchStatus | 'gone'> {
      return (await script('seen', [keys.batch(id)], [at()]))[0] as BatchStatus | 'gone';
    },

    /** The rows may run. @returns the status that the batch has now: canceled where its owner was faster. */
    async begin(
      id: string,
      found: { total: number; estimate: CostEstimate | null; invalid: readonly number[]; errorFile: ResultVersions },
    ): Promise<BatchStatus | 'gone'> {
      const { total, estimate, invalid, errorFile } = found;
      const costs = estimate === null ? ['', ''] : [toNano(estimate.totalUsd), toNano(estimate.dearestRowUsd)];
      const args = [at(), total, ...costs, invalid.length, marksOf(invalid), ...errorFile.flat()];
      const reply = await script('begin', [keys.batch(id), keys.outcomes(id), keys.results(id)], args);
      return reply[0] as BatchStatus | 'gone';
    },

    /**
     * The batch comes to nothing; its idempotency key is free again. With `staleBefore`, only if nobody has validated
     * since. @returns the status that it has now: another one where it was no longer being validated.
     */
    async refuse(
      { id, owner }: Pick<BatchSpec, 'id' | 'owner'>,
      found: {
        reason: BatchReason;
        total?: number;
        invalid?: number;
        errorFile?: ResultVersions;
        idempotencyKey?: string | undefined;
        staleBefore?: number;
      },
    ): Promise<BatchStatus | 'gone'> {
      const { reason, total = 0, invalid = 0, errorFile = [], idempotencyKey, staleBefore } = found;
      const claim = idempotencyKey === undefined ? [] : [keys.idempotency(owner, idempotencyKey)];
      const stale = staleBefore === undefined ? ['', ''] : ['stale', staleBefore];
      const reply = await script(
        'refuse',
        [keys.batch(id), keys.open, keys.results(id), ...claim],
        [at(), id, reason, total, invalid, ...stale, batchRetentionMs, ...errorFile.flat()],
      );
      return reply[0] as BatchStatus | 'gone';
    },

    /** Starts as many of these rows as may, each under the id that is proposed for its request. `next` is what was read, `after` the row behind them. */
    async claim(
      id: string,
      { next, after, limits }: { next: number; after: number; limits: FlightLimits },
      proposed: ReadonlyMap<number, string>,
    ): Promise<Claimed> {
      const args = [at(), id, limits.ofBatch, limits.ofAll, next, after, ...[...proposed].flat()];
      const [outcome, stopped, ...rows] = await script('claim', all(id), args);
      if (outcome !== 'claimed') return { rows: new Map(), stopped: 'closed' };
      const pairs = Array.from(
        { length: rows.length / 2 },
        (_, i) => [Number(rows[i * 2]), rows[i * 2 + 1] ?? ''] as const,
      );
      return { rows: new Map(pairs), stopped: stopped === '' ? null : (stopped as 'room' | 'budget') };
    },

    /** Whether the batch has yet to take the result of a row. */
    async isInFlight(id: string, row: number): Promise<boolean> {
      return (await redis.hexists(keys.flight(id), String(row))) === 1;
    },

    /** Rows in flight with the ids of their requests. */
    async flight(id: string): Promise<Map<number, string>> {
      return new Map(
        Object.entries(await redis.hgetall(keys.flight(id))).map(([row, request]) => [Number(row), request]),
      );
    },

    /** The request that a row turned out to be: that of its own idempotency key, accepted earlier. */
    async rename(id: string, row: number, { from, to }: { from: string; to: string }): Promise<void> {
      await script('rename', [keys.batch(id), keys.flight(id)], [at(), row, from, to]);
    },

    /** The marks of a chunk's rows, as in `mayStart`. */
    async outcomes(id: string, chunk: number): Promise<string> {
      const first = firstRowOf(chunk) - 1;
      return await redis.getrange(keys.outcomes(id), first, first + rowsPerChunk - 1);
    },

    /** The current result object of a chunk, `''` where there is none. */
    async resultVersion(id: string, chunk: number): Promise<string> {
      return (await redis.hget(keys.results(id), String(chunk))) ?? '';
    },

    /** @returns the rows that were counted by this; null where somebody else has written this chunk's results meanwhile: then nothing has changed. */
    async settle(
      id: string,
      chunk: number,
      versions: { read: string; written: string },
      rows: readonly SettledRow[],
    ): Promise<number[] | null> {
      const settled = rows.flatMap(({ row, requestId, outcome, costUsd }) => [
        row,
        requestId,
        outcome,
        toNano(costUsd),
      ]);
      const args = [at(), id, chunk, versions.read, versions.written, ...settled];
      const [outcome, ...counted] = await script('settle', all(id), args);
      return outcome === 'settled' ? counted.map(Number) : null;
    },

    /** Ends what has come to its end. */
    async rest(id: string, outOfBudget: boolean): Promise<{ status: BatchStatus | 'gone'; rested: boolean }> {
      const [status, rested] = await script('rest', all(id), [at(), outOfBudget ? 'budget' : '']);
      return { status: status as BatchStatus | 'gone', rested: rested === 'rested' };
    },

    /** Takes a batch out of the open ones that has come to rest, and has whoever wants to know told of it. */
    async close({ id, webhookUrl }: Pick<BatchSpec, 'id' | 'webhookUrl'>): Promise<void> {
      const tell = webhookUrl === undefined ? '' : 'tell';
      await script('close', [...all(id), createKeys(prefix).outbox], [at(), id, batchRetentionMs, tell]);
    },

    /** What keeps rows from starting for now, to be told to the owner. */
    async hold(id: string, code: string | null): Promise<void> {
      if (code === null) await redis.hdel(keys.batch(id), 'held');
      else await redis.hset(keys.batch(id), 'held', code);
    },

    /** @returns false where its status allows it no more. */
    async stop(id: string, how: 'canceled' | 'paused'): Promise<boolean> {
      return (await script('stop', [keys.batch(id), keys.open], [at(), id, how]))[0] === 'stopped';
    },

    /** Goes on with the rows that are not done. @returns false where there is nothing to go on with. */
    async resume(
      { spec: { id, deadlineMs } }: BatchState,
      { retryFailed, maxUsd }: { retryFailed: boolean; maxUsd?: number | undefined },
    ): Promise<boolean> {
      const cap = maxUsd === undefined ? '' : toNano(maxUsd);
      const reply = await script('resume', all(id), [at(), id, retryFailed ? 'failed' : '', cap, deadlineMs]);
      return reply[0] === 'resumed';
    },

    /** Batches that have anything to do, that which has had it longest first. */
    async open(limit: number): Promise<string[]> {
      return await redis.zrange(keys.open, 0, String(limit - 1));
    },

    /** How many batches have anything to do, and since when the oldest of them has, epoch ms; null of none. */
    async backlog(): Promise<{ open: number; oldestAt: number | null }> {
      const [open, oldest] = await Promise.all([redis.zcard(keys.open), redis.zrange(keys.open, 0, '0', 'WITHSCORES')]);
      return { open, oldestAt: oldest[1] === undefined ? null : Number(oldest[1]) };
    },

    /** Takes out what is gone. */
    async forget(id: string): Promise<void> {
      const transaction = redis.multi();
      transaction.zrem(keys.open, id);
      transaction.hdel(keys.inFlight, id);
      await transaction.exec();
    },

    /** The owner's batches, newest first, created before `before` (epoch ms, exclusive) and known still. */
    async listIds(owner: string, before: number, limit: number): Promise<string[]> {
      await redis.zremrangebyscore(keys.owner(owner), '-inf', (now?.() ?? Date.now()) - 2 * batchRetentionMs);
      return await redis.zrange(keys.owner(owner), `(${before}`, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, limit);
    },
  };
}

/** A byte a row up to the last invalid one, as in `mayStart`. */
function marksOf(invalid: readonly number[]): string {
  const marks = Buffer.alloc(invalid.at(-1) ?? 0);
  for (const row of invalid) marks.write('i', row - 1, 'latin1');
  return marks.toString('latin1');
}

function toNano(usd: number): number {
  return Math.round(usd * nanoUsd);
}
