import { batchLineSchema, type BatchLine } from '@bunri/queue-contracts';
import { newRequestId, type Storage } from '@bunri/runtime';
import { batchObjects, firstRowOf, rowsPerChunk } from './batch-keys.ts';
import type { Row } from './row.ts';

const type = 'application/x-ndjson';

/** The rows of a chunk, in their order; null in the place of one that cannot run. */
export async function putRows(
  storage: Pick<Storage, 'put'>,
  id: string,
  chunk: number,
  rows: readonly (Row | null)[],
): Promise<void> {
  await storage.put(batchObjects.rows(id, chunk), encode(rows), type);
}

/** The rows of a chunk that can run; null where they are past their retention. */
export async function getRows(
  storage: Pick<Storage, 'getBytes'>,
  id: string,
  chunk: number,
): Promise<Map<number, Row> | null> {
  const bytes = await storage.getBytes(batchObjects.rows(id, chunk));
  if (!bytes) return null;
  const rows = decode(bytes) as (Row | null)[];
  return new Map(rows.flatMap((row, i) => (row ? [[firstRowOf(chunk) + i, row] as const] : [])));
}

/**
 * Writes result lines of a chunk under a name of their own, so that whoever writes at the same time harms nobody: which
 * name counts is decided where the rows are settled.
 *
 * @returns the version
 */
export async function putResults(
  storage: Pick<Storage, 'put'>,
  id: string,
  chunk: number,
  lines: Iterable<BatchLine>,
): Promise<string> {
  const version = newRequestId().slice('req_'.length);
  const ordered = [...lines].toSorted((one, other) => one.row - other.row);
  await storage.put(batchObjects.results(id, chunk, version), encode(ordered), type);
  return version;
}

/** The result lines of a chunk by their row; none for the version `''`, null where they are gone. */
export async function getResults(
  storage: Pick<Storage, 'getBytes'>,
  id: string,
  chunk: number,
  version: string,
): Promise<Map<number, BatchLine> | null> {
  if (version === '') return new Map();
  const bytes = await storage.getBytes(batchObjects.results(id, chunk, version));
  if (!bytes) return null;
  return new Map(
    decode(bytes)
      .map((value) => batchLineSchema.parse(value))
      .map((line) => [line.row, line]),
  );
}

function encode(values: readonly unknown[]): Uint8Array {
  return Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

function decode(bytes: Uint8Array): unknown[] {
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
}

/** How many chunks so many rows make. */
export function chunksOf(total: number): number {
  return Math.ceil(total / rowsPerChunk);
}
