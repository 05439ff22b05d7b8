import { toBatch, type BatchStore } from '@bunri/batches';
import type { Batch } from '@bunri/queue-contracts';
import * as z from 'zod';
import { pageLimit } from './page-limit.ts';
import { invalidField } from './problem.ts';

export const batchPageSchema = z.strictObject({
  limit: pageLimit('Batches a page.'),
  cursor: z.string().optional().meta({ description: 'The `next_cursor` of the page before.' }),
});

/**
 * The owner's batches, newest first. What is past its retention or being deleted is left out, so that a page may be short. Where a page
 * ended is the creation time of its last batch, and how many of that very millisecond have been listed.
 */
export async function listBatches(
  batches: BatchStore,
  owner: string,
  { limit, cursor }: z.infer<typeof batchPageSchema>,
): Promise<{ data: Batch[]; next_cursor: string | null }> {
  const from = cursor === undefined ? { createdAt: Number.MAX_SAFE_INTEGER - 1, seen: 0 } : parseCursor(cursor);
  const ids = await batches.listIds(owner, from.createdAt + 1, from.seen + limit + 1);
  const page = ids.slice(from.seen, from.seen + limit);
  const found = await Promise.all(page.map(async (id) => await batches.get(id)));
  const states = found.filter((state) => state !== null);
  const data = states.filter(({ deletion }) => deletion === null).map(toBatch);
  const last = states.at(-1);
  if (ids.length <= from.seen + limit || !last) return { data, next_cursor: null };
  const here = states.filter(({ createdAt }) => createdAt === last.createdAt).length;
  const seen = last.createdAt === from.createdAt ? from.seen + here : here;
  return {
    data,
    next_cursor: Buffer.from(`${last.createdAt}.${seen}`).toString('base64url'),
  };
}

function parseCursor(cursor: string): { createdAt: number; seen: number } {
  const [, createdAt, seen] = /^(\d{1,15})\.(\d{1,6})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (createdAt === undefined) throw invalidField('cursor', 'is not the next_cursor of a page');
  return { createdAt: Number(createdAt), seen: Number(seen) };
}
