import { createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BatchLine } from '@bunri/queue-contracts';
import type { Journal } from './journal.ts';
import type { BatchOptions } from './options.ts';

/** Rows in their order, each with the key that the journal knows it by; undefined for one that was not reached. */
export type RowKeys = readonly (readonly [row: number, key: string | undefined])[];

export interface Outcome {
  /** Of all rows, those of earlier runs included. */
  readonly counts: Readonly<Record<BatchLine['status'] | 'not_done', number>>;
}

/** Makes the result file and the error file from the journal. Each is there whole, or as it was before. */
export async function writeOutputs({ out, errors }: BatchOptions, journal: Journal, rows: RowKeys): Promise<Outcome> {
  const counts = { completed: 0, failed: 0, canceled: 0, invalid: 0, not_done: 0 };
  async function* lines(only: (status: BatchLine['status']) => boolean) {
    for (const [row, key] of rows) {
      const done = key === undefined ? undefined : journal.done.get(key);
      if (!done || !only(done.status)) continue;
      yield `${JSON.stringify({ ...(await journal.read(done)), row })}\n`;
    }
  }
  for (const [, key] of rows)
    counts[(key === undefined ? undefined : journal.done.get(key)?.status) ?? 'not_done'] += 1;
  await replace(
    out,
    lines(() => true),
  );
  await replace(
    errors,
    lines((status) => status !== 'completed'),
  );
  return { counts };
}

async function replace(path: string, lines: AsyncIterable<string>): Promise<void> {
  const partial = `${path}.partial`;
  await pipeline(Readable.from(lines), createWriteStream(partial, { flush: true }));
  await rename(partial, path);
}
