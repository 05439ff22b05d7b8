import * as z from 'zod';
import { batchIdSchema, failureCodes, requestStatuses, resourceSchema, type Resource } from '@bunri/queue-contracts';
import { toResource, type RecordStore, type RequestRecord } from '@bunri/runtime';
import { pageLimit } from './page-limit.ts';
import { invalidField } from './problem.ts';
import type { RecordReader } from './record-reader.ts';

/** Records that one page looks at. What none of them fits is gone on with by the page's cursor. */
const mostLooked = 300;
const readAtOnce = 50;

const several = <Value extends string>(values: readonly [Value, ...Value[]], description: string) =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((given) => [given].flat().flatMap((text) => text.split(',')))
    .pipe(z.array(z.enum(values)).max(values.length))
    .optional()
    .meta({
      description: `${description} Several: repeated, or separated by commas.`,
      override: { type: 'array', items: { type: 'string', enum: [...values] } },
    });

const time = z.iso.datetime({ offset: true }).optional();

export const pageSchema = z.strictObject({
  limit: pageLimit('Requests a page.'),
  cursor: z.string().max(200).optional().meta({ description: 'The `next_cursor` of the page before.' }),
});

export const listQuerySchema = z
  .strictObject({
    ...pageSchema.shape,
    status: several(requestStatuses, 'Only requests in this state.'),
    error_code: several(failureCodes, 'Only requests that failed with this code.'),
    batch: batchIdSchema.optional().meta({ description: 'Only rows of this batch.' }),
    created_after: time.meta({ description: 'Only requests made at this time or later.' }),
    created_before: time.meta({ description: 'Only requests made before this time.' }),
  })
  .refine(
    ({ created_after: from = '', created_before: to }) => to === undefined || Date.parse(from || to) <= Date.parse(to),
    {
      path: ['created_before'],
      error: 'must not be before created_after',
    },
  );
export type ListQuery = z.infer<typeof listQuerySchema>;

export const listSchema = z
  .object({
    data: z.array(resourceSchema),
    next_cursor: z.string().nullable().meta({
      description: 'Null on the last page. With filters a page may be short, or empty, and still have one: go on.',
    }),
  })
  .meta({ id: 'ClassificationList' });

/**
 * Where a page ended: the last entry that was looked at, by its time in the owner's list and its id, and how many entries of
 * that very time have been passed. Times alone would lose requests that were created together; the id alone cannot be found
 * again once its request is deleted.
 */
interface Position {
  readonly time: number;
  readonly id: string;
  readonly passed: number;
}

/** Before all ids, as the list goes from the highest to the lowest. */
const start: Position = { time: Number.MAX_SAFE_INTEGER, id: '~', passed: 0 };

/**
 * The owner's requests, newest first. A page looks at a bounded number of them, so that it may be short, or empty, and still
 * have a next one. A request that is past its retention, or deleted, is left out.
 */
export async function listRecords(
  { records, reader }: { records: Pick<RecordStore, 'redis' | 'keys'>; reader: Pick<RecordReader, 'read'> },
  owner: string,
  query: ListQuery,
): Promise<{ data: Resource[]; next_cursor: string | null }> {
  const { limit, cursor, created_before: before, created_after: after } = query;
  const oldest = after === undefined ? 0 : Date.parse(after);
  let position = cursor === undefined ? start : parseCursor(cursor);
  if (before !== undefined && Date.parse(before) <= position.time) {
    position = { ...start, time: Date.parse(before) - 1 };
  }
  const data: Resource[] = [];
  for (let looked = 0; looked < mostLooked;) {
    const entries = await entriesAfter(records, owner, position, Math.min(readAtOnce, mostLooked - looked));
    const found = await Promise.all(entries.map(async ({ id }) => await reader.read(id)));
    for (const [i, entry] of entries.entries()) {
      if (entry.time < oldest) return { data, next_cursor: null };
      position = entry;
      const record = found[i];
      if (record && fits(record, query)) data.push(toResource(record));
      if (data.length === limit) return { data, next_cursor: await cursorOf(records, owner, position, oldest) };
    }
    if (entries.length === 0) return { data, next_cursor: null };
    looked += entries.length;
  }
  return { data, next_cursor: formatCursor(position) };
}

/** Entries of the owner's list behind the position, at most `limit`. */
async function entriesAfter(
  { redis, keys }: Pick<RecordStore, 'redis' | 'keys'>,
  owner: string,
  { time: from, id: last, passed }: Position,
  limit: number,
): Promise<Position[]> {
  const key = keys.owner(owner);
  for (let most = passed + limit; ; most *= 2) {
    const flat = await redis.zrange(key, from, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, most, 'WITHSCORES');
    const entries: Position[] = [];
    let here = { time: from, passed: 0 };
    for (let i = 0; i < flat.length; i += 2) {
      const [id = '', time] = [flat[i], Number(flat[i + 1])];
      here = { time, passed: time === here.time ? here.passed + 1 : 1 };
      if (time < from || id < last) entries.push({ ...here, id });
    }
    // None of so many: more have come of that very time, and are in front.
    if (entries.length > 0 || flat.length < most * 2) return entries.slice(0, limit);
  }
}

async function cursorOf(
  records: Pick<RecordStore, 'redis' | 'keys'>,
  owner: string,
  position: Position,
  oldest: number,
): Promise<string | null> {
  const [next] = await entriesAfter(records, owner, position, 1);
  return next && next.time >= oldest ? formatCursor(position) : null;
}

function fits(
  { request, status, error }: RequestRecord,
  { status: states, error_code: codes, batch }: ListQuery,
): boolean {
  if (states && !states.includes(status)) return false;
  if (codes && (error === null || !codes.includes(error.code))) return false;
  return batch === undefined || request.batch?.id === batch;
}

function formatCursor({ time, id, passed }: Position): string {
  return Buffer.from(`${time}.${passed}.${id}`).toString('base64url');
}

function parseCursor(cursor: string): Position {
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const [, at, passed, id] = /^(\d{1,15})\.(\d{1,4})\.(req_[0-9a-f]{32})$/.exec(text) ?? [];
  if (at === undefined || id === undefined) throw invalidField('cursor', 'is not the next_cursor of a page');
  return { time: Number(at), id, passed: Number(passed) };
}
