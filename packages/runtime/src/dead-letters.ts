import * as z from 'zod';
import { isDeadLetter, type Request } from '@bunri/queue-contracts';
import {
  createDeadLetterIndex,
  deadLetterSchema,
  formatCursor,
  isAfter,
  parseCursor,
  startAt,
  type DeadLetterFilter,
  type DeadLetterSummary,
} from './dead-letter-index.ts';
import type { FlowQueue } from './enqueue.ts';
import { flowOrder, type RequestRecord } from './record.ts';
import type { RecordStore } from './records.ts';

export const deadLetterPageSchema = z
  .object({
    data: z.array(deadLetterSchema),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: 'Null at the end. A page may be short, or empty, and still have one: look on.' }),
    unreadable: z.array(z.string()).meta({ description: 'Ids on this page whose records cannot be understood.' }),
  })
  .meta({ id: 'DeadLetterPage' });
export type DeadLetterPage = z.infer<typeof deadLetterPageSchema>;

/** A `next_cursor`, checked. */
export const deadLetterCursorSchema = z
  .string()
  .refine((cursor) => parseCursor(cursor) !== null, 'is not the next_cursor of a page');

export const handledSchema = z.object({
  id: z.string(),
  outcome: z
    .enum(['reopened', 'purged', 'closed', 'gone'])
    .meta({ description: '`closed`: it is no dead letter, or no longer; `gone`: it has no record.' }),
  detail: z.string().nullable(),
});
export type Handled = z.infer<typeof handledSchema>;

export const handledManySchema = z
  .object({
    counts: z.record(z.string(), z.int().nonnegative()).meta({ description: 'How many by outcome.' }),
    results: z.array(handledSchema),
    left: z.int().nonnegative().meta({ description: 'How many more would have fitted: send the same again.' }),
    more: z
      .boolean()
      .meta({ description: 'True when older ones have not been looked at: narrow the search by `until`.' }),
  })
  .meta({ id: 'DeadLettersHandled' });
export type HandledMany = z.infer<typeof handledManySchema>;

export interface RetryOptions {
  /** Until the new deadline. Default an hour. */
  readonly deadlineMs?: number | undefined;
  /** Default batch: what has failed already does not stand before those who wait. */
  readonly priority?: Request['priority'] | undefined;
}

export interface DeadLettersOptions {
  readonly records: RecordStore;
  readonly flows: Pick<FlowQueue, 'add'>;
  readonly now?: () => number;
  /** How many entries one page, and one call for many, looks at. */
  readonly mostLooked?: { readonly page: number; readonly call: number };
  /** How many dead letters one call retries or purges. */
  readonly mostHandled?: number;
}

export type DeadLetters = ReturnType<typeof createDeadLetters>;

const hourMs = 3600 * 1000;
const defaultMostLooked = { page: 1_000, call: 50_000 };
const defaultMostHandled = 1_000;
const inParallel = 20;

/**
 * Requests that failed for want of something on our side or the provider's: listed, retried from the stage that failed
 * on, purged. Retrying opens the record first and adds its jobs then; whoever dies in between leaves it to the sweeper.
 */
export function createDeadLetters(options: DeadLettersOptions) {
  const { records, flows, now = Date.now, mostLooked = defaultMostLooked } = options;
  const { mostHandled = defaultMostHandled } = options;
  const index = createDeadLetterIndex({ redis: records.redis, keys: records.keys, now });

  async function retryOne(id: string, { deadlineMs = hourMs, priority = 'batch' }: RetryOptions): Promise<Handled> {
    const record = await records.get(id);
    if (!record) return await forget(id);
    const refusal = whyNotDead(record);
    if (refusal !== null) return { id, outcome: 'closed', detail: refusal };
    const result = await records.reopen(record, { from: 'failed', deadlineAt: now() + deadlineMs, priority });
    if (result.outcome === 'gone') return await forget(id);
    if (result.outcome === 'closed') return { id, outcome: 'closed', detail: `It is ${result.status} again already.` };
    if (result.outcome === 'fenced')
      return { id, outcome: 'closed', detail: 'Somebody else has retried it in between.' };
    try {
      await flows.add(flowOrder(result.record));
      return { id, outcome: 'reopened', detail: null };
    } catch {
      const detail = 'Its jobs could not be queued now; the scheduler queues them within two minutes.';
      return { id, outcome: 'reopened', detail };
    }
  }

  async function purgeOne(id: string): Promise<Handled> {
    const record = await records.get(id);
    if (!record) return await forget(id);
    const refusal = whyNotDead(record);
    if (refusal !== null) return { id, outcome: 'closed', detail: refusal };
    const outcome = await removeFailed(records, record);
    if (outcome === 'closed') return { id, outcome, detail: 'Somebody else has retried it in between.' };
    return { id, outcome, detail: null };
  }

  /** Takes what has no record out of the index. */
  async function forget(id: string): Promise<Handled> {
    await records.redis.zrem(records.keys.dead, id);
    return { id, outcome: 'gone', detail: 'There is no such request, or it is past its retention.' };
  }

  async function each(ids: readonly string[], handle: (id: string) => Promise<Handled>): Promise<Handled[]> {
    const results: Handled[] = [];
    for (let i = 0; i < ids.length; i += inParallel) {
      results.push(...(await Promise.all(ids.slice(i, i + inParallel).map(handle))));
    }
    return results;
  }

  /** The ids that fit, as many as one call may handle, and how many are beyond. */
  async function select(filter: DeadLetterFilter): Promise<{ ids: string[]; left: number; more: boolean }> {
    const ids: string[] = [];
    let left = 0;
    let looked = 0;
    for await (const { letter } of index.walk(filter, startAt(filter.untilMs))) {
      if (looked >= mostLooked.call) return { ids, left, more: true };
      looked += 1;
      if (letter && ids.length < mostHandled) ids.push(letter.id);
      else if (letter) left += 1;
    }
    return { ids, left, more: false };
  }

  async function eachMatching(
    filter: DeadLetterFilter,
    handle: (id: string) => Promise<Handled>,
  ): Promise<HandledMany> {
    const { ids, left, more } = await select(filter);
    return { ...tally(await each(ids, handle)), left, more };
  }

  return {
    /**
     * One page, newest first. It looks at a bounded number of entries, so that it may hold fewer than `limit`, or none, and
     * still have a next one. Entries that vanish or come between two pages make nothing skipped or listed twice.
     *
     * @throws RangeError for a cursor that is none.
     */
    async list(
      filter: DeadLetterFilter,
      { limit = 50, cursor }: { limit?: number; cursor?: string | undefined } = {},
    ): Promise<DeadLetterPage> {
      const data: DeadLetterSummary[] = [];
      const unreadable: string[] = [];
      let position = startOf(filter, cursor);
      let looked = 0;
      for await (const entry of index.walk(filter, position)) {
        if (data.length === limit || looked === mostLooked.page) {
          return { data, next_cursor: formatCursor(position), unreadable };
        }
        looked += 1;
        position = entry.position;
        if (entry.letter) data.push(entry.letter);
        if (entry.unreadable) unreadable.push(position.id);
      }
      return { data, next_cursor: null, unreadable };
    },

    /** How many fit; `more` when the oldest have not been looked at. */
    async count(filter: DeadLetterFilter): Promise<{ count: number; more: boolean }> {
      const { ids, left, more } = await select(filter);
      return { count: ids.length + left, more };
    },

    /**
     * Opens each dead letter again under a new generation, from its first stage without an output on. Of two who retry the
     * same at once, one gets `closed`.
     */
    async retry(ids: readonly string[], how: RetryOptions = {}): Promise<Handled[]> {
      return await each(ids, async (id) => await retryOne(id, how));
    },

    /** Retries what fits the filter, the newest first, at most a thousand a call. */
    async retryMatching(filter: DeadLetterFilter, how: RetryOptions = {}): Promise<HandledMany> {
      return await eachMatching(filter, async (id) => await retryOne(id, how));
    },

    /** Removes records with their events and index entries. Uploads and images stay until their own retention ends. */
    async purge(ids: readonly string[]): Promise<Handled[]> {
      return await each(ids, purgeOne);
    },

    /** Purges what fits the filter, the newest first, at most a thousand a call. */
    async purgeMatching(filter: DeadLetterFilter): Promise<HandledMany> {
      return await eachMatching(filter, purgeOne);
    },
  };
}

/** How many results there are of each outcome. */
export function tally(results: Handled[]): Pick<HandledMany, 'counts' | 'results'> {
  const counts: Record<string, number> = {};
  for (const { outcome } of results) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return { counts, results };
}

/** The filter's own start, or the cursor's where that is further on. */
function startOf({ untilMs }: DeadLetterFilter, cursor: string | undefined) {
  const first = startAt(untilMs);
  if (cursor === undefined) return first;
  const position = parseCursor(cursor);
  if (!position) throw new RangeError('the cursor is not the next_cursor of a page');
  return isAfter(position, first) ? position : first;
}

function whyNotDead({ status, error }: RequestRecord): string | null {
  if (status !== 'failed' || error === null) return `It is ${status}, and no dead letter.`;
  if (isDeadLetter(error.code)) return null;
  return `It failed by what the client sent (${error.code}), which a retry does not change.`;
}

/** KEYS 1 record, 2 events, then the indexes. ARGV 1 id, 2 generation. A request that was opened again stays. */
const removeScript = `
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if not state[1] then return 'gone' end
if state[1] ~= 'failed' or (state[2] or '0') ~= ARGV[2] then return 'closed' end
redis.call('UNLINK', KEYS[1], KEYS[2])
for i = 3, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
return 'purged'`;

/** As `records.remove`, but only while nobody has retried the request. */
export async function removeFailed(
  { redis, keys }: RecordStore,
  { request: { id, owner }, generation }: RequestRecord,
): Promise<'purged' | 'closed' | 'gone'> {
  const indexes = [keys.dead, keys.finished, keys.deadlines, keys.unqueued, keys.owner(owner)];
  const names = [keys.record(id), keys.events(id), ...indexes];
  return (await redis.eval(removeScript, names.length, ...names, id, generation)) as 'purged' | 'closed' | 'gone';
}
