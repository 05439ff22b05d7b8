import type { Redis } from 'ioredis';
import * as z from 'zod';
import { failureCodes, isDeadLetter, type FailureCode } from '@bunri/queue-contracts';
import type { Keys, Metrics } from '@bunri/runtime';

export interface EndedRequestsOptions {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly metrics: Pick<Metrics, 'requestSeconds' | 'requestsFailed' | 'requestsUncounted'>;
  /** Of those that end the requests. Default: Redis's clock. */
  readonly now?: () => number;
  /** How many ended requests one look counts at most of each index. Default 10,000. */
  readonly mostLooked?: number;
}

/** What is looked at in a record that has ended; of `class`, one that was answered from the cache has none. */
const fields = ['status', 'request', 'completedAt', 'error', 'generation', 'class'] as const;
const requestParts = z.object({
  createdAt: z.number(),
  priority: z.enum(['interactive', 'batch']),
  replay: z.unknown().optional(),
});
const errorParts = z.object({ code: z.enum(failureCodes) });
const batch = 250;

/** Entries of an index, and up to where they reach: all of a millisecond, or none of it. */
interface Page {
  readonly ids: readonly string[];
  readonly position: number;
}

type Count = (metrics: EndedRequestsOptions['metrics']) => void;

/** What a record that has ended adds to the figures. */
function toCount(values: readonly (string | null | undefined)[]): Count {
  const [status, request, completedAt, error, generation, queued] = values;
  // Opened again in the meantime: it will end once more.
  if (status === 'queued' || status === 'running') return () => undefined;
  const parts = requestParts.safeParse(parsed(request));
  if (!parts.success || !completedAt) return (metrics) => metrics.requestsUncounted.inc();
  const { createdAt, priority, replay } = parts.data;
  // An operator's, for which nobody waits.
  if (replay) return () => undefined;
  const { code = 'internal_error' } = errorParts.safeParse(parsed(error)).data ?? {};
  const labels = { class: priority, outcome: outcomeOf(status, code, Number(generation ?? 0), Boolean(queued)) };
  const seconds = Math.max(0, Number(completedAt) - createdAt) / 1000;
  return (metrics) => {
    if (status === 'failed') metrics.requestsFailed.inc({ code });
    metrics.requestSeconds.observe(labels, seconds);
  };
}

function outcomeOf(status: string | null | undefined, code: FailureCode, generation: number, queued: boolean): string {
  if (status === 'canceled') return 'canceled';
  if (status === 'failed') return isDeadLetter(code) ? 'failed' : 'rejected';
  if (generation > 0) return 'reopened';
  return queued ? 'completed' : 'cached';
}

/**
 * Counts the requests that have ended since the last look, wherever they ended: a worker, the api and the scheduler all
 * end requests, and each of them may die right after. Redis gives out the times, so that nothing that has ended before
 * the time of a look can appear later. What ended before the first look is not counted: no counter was there to grow.
 */
export function createEndedRequests(options: EndedRequestsOptions) {
  const { redis, keys, metrics, mostLooked = 10_000 } = options;
  const positions = new Map<string, number>();
  let looking: Promise<void> | undefined;
  // Shown before there are any: an increase is seen only from a value on.
  for (const code of failureCodes) metrics.requestsFailed.inc({ code }, 0);
  for (const priority of ['interactive', 'batch']) {
    for (const outcome of ['completed', 'cached', 'reopened', 'rejected', 'failed', 'canceled'])
      metrics.requestSeconds.zero({ class: priority, outcome });
  }

  async function now(): Promise<number> {
    if (options.now) return options.now();
    // Strings, whatever the client's types say.
    const [seconds, microseconds]: readonly unknown[] = await redis.time();
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
  }

  /** Of one index, what ended since the last look and before `until`, the oldest first. */
  async function endedBefore(index: string, until: number): Promise<Page> {
    const from = positions.get(index) ?? until;
    const found = await redis.zrangebyscore(index, from, `(${until}`, 'WITHSCORES', 'LIMIT', 0, mostLooked);
    const ended = Array.from({ length: found.length / 2 }, (_, i) => ({
      id: found[i * 2] ?? '',
      at: Number(found[i * 2 + 1]),
    }));
    const last = ended.at(-1);
    if (ended.length < mostLooked || last === undefined)
      return { ids: ended.map(({ id }) => id), position: Math.max(from, until) };
    // More in one millisecond than one look counts: the rest of that millisecond is given up, and nothing after it.
    if (last.at === from) return { ids: ended.map(({ id }) => id), position: from + 1 };
    return { ids: ended.flatMap(({ id, at }) => (at < last.at ? [id] : [])), position: last.at };
  }

  async function read(ids: readonly string[]): Promise<Count[]> {
    const counts: Count[] = [];
    for (let offset = 0; offset < ids.length; offset += batch) {
      const pipeline = redis.pipeline();
      for (const id of ids.slice(offset, offset + batch)) pipeline.hmget(keys.record(id), ...fields);
      for (const [error, values] of (await pipeline.exec()) ?? []) {
        if (error) throw error;
        counts.push(toCount(values as (string | null)[]));
      }
    }
    return counts;
  }

  async function look(): Promise<void> {
    const until = await now();
    for (const index of [keys.finished, keys.dead]) {
      const { ids, position } = await endedBefore(index, until);
      // In one go once all is read: after a failure the next look begins where this one did.
      const counts = await read(ids);
      positions.set(index, position);
      for (const count of counts) count(metrics);
    }
  }

  /** Looks once, also for those that ask while it looks. */
  return async (): Promise<void> => {
    looking ??= look().finally(() => (looking = undefined));
    await looking;
  };
}

function parsed(json: string | null | undefined): unknown {
  try {
    return JSON.parse(json ?? 'null');
  } catch {
    return null;
  }
}
