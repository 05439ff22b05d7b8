import { stringify } from 'csv-stringify/sync';
import type { BatchLine } from '@bunri/queue-contracts';
import type { Storage } from '@bunri/runtime';
import { firstRowOf, mayStart } from './batch-keys.ts';
import { costOf, type BatchState } from './batch-state.ts';
import type { BatchStore } from './batch-store.ts';
import { chunksOf, getResults } from './chunks.ts';

export type ResultFile = 'results' | 'errors';
export type ResultFormat = 'jsonl' | 'csv';

/** The results are past their retention. */
export class ResultsGone extends Error {
  override readonly name = 'ResultsGone';
}

/**
 * The lines of all rows that have ended by now, or of those that have no answer, in the order of the rows: a piece of text
 * a chunk. What is to run again has no line. @throws ResultsGone
 */
export async function* readResults(
  { store, storage }: { store: BatchStore; storage: Pick<Storage, 'getBytes'> },
  { spec: { id }, total }: BatchState,
  { file, format }: { file: ResultFile; format: ResultFormat },
): AsyncGenerator<string> {
  if (format === 'csv') yield csvHeader();
  for (let chunk = 0; chunk < chunksOf(total); chunk += 1) {
    const lines = await linesOf({ store, storage }, id, chunk);
    const wanted = lines.filter(({ status }) => file === 'results' || status !== 'completed');
    if (wanted.length === 0) continue;
    yield format === 'csv' ? toCsv(wanted) : wanted.map((line) => `${JSON.stringify(line)}\n`).join('');
  }
}

const readsOfOneChunk = 3;

async function linesOf(
  { store, storage }: { store: BatchStore; storage: Pick<Storage, 'getBytes'> },
  id: string,
  chunk: number,
): Promise<BatchLine[]> {
  // A running batch replaces the object now and then, so that the one that was named may be gone when it is read.
  for (let attempt = 0; attempt < readsOfOneChunk; attempt += 1) {
    const version = await store.resultVersion(id, chunk);
    const marks = await store.outcomes(id, chunk);
    const lines = await getResults(storage, id, chunk, version);
    if (!lines) continue;
    const first = firstRowOf(chunk);
    return [...lines.values()].filter(({ row, status }) => status === 'invalid' || !mayStart(marks[row - first]));
  }
  throw new ResultsGone(`The results of ${id} are past their retention.`);
}

const columns: Readonly<Record<string, (line: BatchLine) => string | number | boolean | null | undefined>> = {
  row: ({ row }) => row,
  idempotency_key: ({ key }) => key,
  image: ({ image }) => image,
  status: ({ status }) => status,
  request_id: ({ classification }) => classification?.id,
  waste_category: ({ classification }) => classification?.classification?.waste_category,
  subcategory: ({ classification }) => classification?.classification?.subcategory,
  item_id: ({ classification }) => classification?.classification?.item_id,
  item_name: ({ classification }) => classification?.classification?.item_name,
  confidence: ({ classification }) => classification?.classification?.confidence,
  answer: ({ classification }) => classification?.guidance?.answer,
  degraded: ({ classification }) => classification?.degraded,
  cached: ({ classification }) => classification?.cached,
  cost_usd: ({ classification }) => classification && costOf(classification),
  error_code: ({ error }) => error?.code,
  error_message: ({ error }) => error?.message,
};

function csvHeader(): string {
  return stringify([Object.keys(columns)], { record_delimiter: 'windows' });
}

/** RFC 4180, with CR LF; a cell that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection). */
function toCsv(lines: readonly BatchLine[]): string {
  const cells = lines.map((line) => Object.values(columns).map((read) => read(line) ?? ''));
  return stringify(cells, { escape_formulas: true, cast: { boolean: String }, record_delimiter: 'windows' });
}
