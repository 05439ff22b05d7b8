import * as z from 'zod';
import { resourceSchema, type Resource } from '@bunri/queue-contracts';
import { toResource, type RecordStore, type RequestRecord } from '@bunri/runtime';
import { invalidField } from './problem.ts';
import type { RecordReader } from './record-reader.ts';

export const pageSchema = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ description: 'Requests a page.', override: { type: 'integer' } }),
  cursor: z.string().optional().meta({ description: 'The `next_cursor` of the page before.' }),
});

export const listSchema = z
  .object({
    data: z.array(resourceSchema),
    next_cursor: z.string().nullable().meta({ description: 'Null on the last page.' }),
  })
  .meta({ id: 'ClassificationList' });

/**
 * Where a page ended: the creation time of its last request, and how many requests of that very millisecond have been
 * listed. Times alone would lose requests that were created together.
 */
interface Position {
  readonly createdAt: number;
  readonly seen: number;
}

/** The owner's requests, newest first. A request that is past its retention is left out, so that a page may be short. */
export async function listRecords(
  { records, reader }: { records: RecordStore; reader: RecordReader },
  owner: string,
  { limit, cursor }: z.infer<typeof pageSchema>,
): Promise<{ data: Resource[]; next_cursor: string | null }> {
  const from: Position = cursor === undefined ? { createdAt: Number.MAX_SAFE_INTEGER, seen: 0 } : parseCursor(cursor);
  const ids = await records.listIds(owner, from.createdAt + 1, from.seen + limit + 1);
  const page = ids.slice(from.seen, from.seen + limit);
  const found = (await Promise.all(page.map(async (id) => await reader.read(id)))).filter((record) => record !== null);
  const last = found.at(-1);
  const isLastPage = ids.length <= from.seen + limit || !last;
  return { data: found.map(toResource), next_cursor: isLastPage ? null : formatCursor(after(found, last, from)) };
}

function after(page: readonly RequestRecord[], { request: { createdAt } }: RequestRecord, from: Position): Position {
  const here = page.filter(({ request }) => request.createdAt === createdAt).length;
  return { createdAt, seen: createdAt === from.createdAt ? from.seen + here : here };
}

function formatCursor({ createdAt, seen }: Position): string {
  return Buffer.from(`${createdAt}.${seen}`).toString('base64url');
}

function parseCursor(cursor: string): Position {
  const [, createdAt, seen] = /^(\d{1,15})\.(\d{1,6})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (createdAt === undefined) throw invalidField('cursor', 'is not the next_cursor of a page');
  return { createdAt: Number(createdAt), seen: Number(seen) };
}
