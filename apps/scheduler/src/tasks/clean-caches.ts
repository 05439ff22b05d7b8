import { removeFailed, type Logger, type Metrics, type RecordStore, type ResultCache } from '@bunri/runtime';
import { readable, results } from '../record-batches.ts';
import type { Task } from '../task.ts';

export interface CleanCachesDeps {
  readonly records: RecordStore;
  readonly cache: Pick<ResultCache, 'removeStoredBefore'>;
  readonly metrics: Metrics;
  /** How long cache entries and finished records are kept, ms. */
  readonly cacheRetentionMs: number;
  readonly recordRetentionMs: number;
  readonly deadLetterRetentionMs: number;
  readonly now?: () => number;
}

const batch = 500;
/** No request stays open longer, so that what was accepted this long before the retention has ended before it. */
const longestDeadlineMs = 24 * 3600 * 1000;

/**
 * Takes cache entries and finished requests past their retention out of Redis. Redis expires most values by itself; the
 * indexes that name them are what would otherwise grow for ever.
 */
export function cleanCaches(deps: CleanCachesDeps): Task {
  const { records, cache, metrics, cacheRetentionMs, recordRetentionMs, deadLetterRetentionMs, now = Date.now } = deps;
  const longestRetentionMs = Math.max(recordRetentionMs, deadLetterRetentionMs);
  return async ({ signal, log }) => {
    const cacheEntries = await cache.removeStoredBefore(now() - cacheRetentionMs);
    metrics.deletedObjects.inc({ kind: 'cache' }, cacheEntries);
    const finished = await remove(records, 'finishedBefore', now() - recordRetentionMs, { signal, log });
    metrics.deletedObjects.inc({ kind: 'record' }, finished);
    const dead = await remove(records, 'deadBefore', now() - deadLetterRetentionMs, { signal, log });
    metrics.deletedObjects.inc({ kind: 'dead_letter' }, dead);
    const listed = await trimOwners(records, now() - longestRetentionMs - longestDeadlineMs, signal);
    return { cache_entries: cacheEntries, records: finished, dead_letters: dead, owner_entries: listed };
  };
}

async function remove(
  records: RecordStore,
  index: 'finishedBefore' | 'deadBefore',
  time: number,
  { signal, log }: { signal: AbortSignal; log: Logger },
): Promise<number> {
  let removed = 0;
  for (;;) {
    signal.throwIfAborted();
    const ids = await records[index](time, batch);
    if (ids.length === 0) return removed;
    await Promise.all(
      ids.map(async (id) => {
        // Of a record that has expired the owner is not known any more; trimming the owners' lists finds its entry.
        const found = await readable(records, id, log);
        const record = found === 'unreadable' ? null : found;
        // A dead letter may have been retried a moment ago.
        if (record && index === 'deadBefore') await removeFailed(records, record);
        else await records.remove(id, record?.request.owner ?? '');
      }),
    );
    removed += ids.length;
  }
}

/** So many keys a run, from where the last one stopped: a store may have millions. */
const scanned = { calls: 20, keysACall: 1_000 };

/** For what was left in the lists of owners while no scheduler ran. */
async function trimOwners({ redis, keys }: RecordStore, createdBefore: number, signal: AbortSignal): Promise<number> {
  let removed = 0;
  let cursor = (await redis.get(keys.ownersCursor)) ?? '0';
  for (let calls = 0; calls < scanned.calls; calls += 1) {
    signal.throwIfAborted();
    const [next, owners] = await redis.scan(cursor, 'MATCH', `${keys.owner('')}*`, 'COUNT', scanned.keysACall);
    const trimmed = redis.pipeline();
    for (const owner of owners) trimmed.zremrangebyscore(owner, '-inf', createdBefore);
    for (const count of await results(trimmed)) removed += Number(count);
    cursor = next;
    if (cursor === '0') break;
  }
  await redis.set(keys.ownersCursor, cursor);
  return removed;
}
