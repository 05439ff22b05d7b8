import { failure, type BatchLine } from '@bunri/queue-contracts';
import { toResource, type RequestRecord, type Storage } from '@bunri/runtime';
import { batchObjects, chunkOf } from './batch-keys.ts';
import { costOf, type BatchState } from './batch-state.ts';
import type { SettledRow } from './batch-store.ts';
import { getResults, getRows, putResults } from './chunks.ts';
import { forEachOf, type FeederDeps } from './feeder-deps.ts';
import type { Row } from './row.ts';

/** A row whose request has ended, or that will have none. */
export interface EndedRow {
  readonly row: number;
  readonly requestId: string;
  readonly end:
    /** `isRemoved` of a request that is being deleted: its line tells how it ended, and nothing else of it. */
    | { readonly record: RequestRecord; readonly isRemoved?: true }
    | { readonly code: 'internal_error' | 'idempotency_conflict' | 'image_missing'; readonly message: string };
}

export type SettleDeps = Pick<FeederDeps, 'store' | 'metrics' | 'log'> & {
  readonly storage: Pick<Storage, 'put' | 'getBytes' | 'remove'>;
};

const readsAtOnce = 50;

/** Of a row whose request was sent so long ago that its record may have come and gone. */
export function lostRow(row: number, requestId: string): EndedRow {
  const message = 'It is not known what became of this row. Resume the batch with retry_failed=true to run it again.';
  return { row, requestId, end: { code: 'internal_error', message } };
}

/** Reads the records of rows that have ended. One that is gone meanwhile is left for the next look. */
export async function readEnded(deps: FeederDeps, rows: readonly (readonly [number, string])[]): Promise<EndedRow[]> {
  const ended: EndedRow[] = [];
  await forEachOf(rows, readsAtOnce, async ([row, requestId]) => {
    const record = await deps.records.get(requestId);
    if (record) ended.push({ row, requestId, end: { record } });
  });
  return ended;
}

/**
 * Writes the results of rows that have ended, and then counts them, a chunk at a time. Should this process end in between,
 * the rows are still in flight, and are written again. Of two processes that write the same chunk one counts. Rows that are
 * no longer in flight are passed over.
 *
 * @returns whether all were written; false where another process was faster
 */
export async function settleRows(deps: SettleDeps, state: BatchState, ended: readonly EndedRow[]): Promise<boolean> {
  const { store, storage, log } = deps;
  const { id } = state.spec;
  const old: string[] = [];
  let isWritten = true;
  for (const [chunk, of] of Map.groupBy(ended, ({ row }) => chunkOf(row))) {
    const read = await store.resultVersion(id, chunk);
    // Read after the version: a row that another process has settled before may have been redacted since.
    const flight = await store.flight(id);
    const open = of.filter(({ row, requestId, end }) => isRemoval(end) || flight.get(row) === requestId);
    if (open.length === 0) continue;
    const lines = (await getResults(storage, id, chunk, read)) ?? new Map<number, BatchLine>();
    // Rows that are past their retention still end, without their names.
    const rows = (await getRows(storage, id, chunk)) ?? new Map<number, Row>();
    const settled: SettledRow[] = [];
    for (const each of open) {
      const { line, costUsd } = toLine(state, rows.get(each.row), each);
      lines.set(each.row, line);
      settled.push({
        row: each.row,
        requestId: each.requestId,
        outcome: line.status as SettledRow['outcome'],
        costUsd,
      });
    }
    const written = await putResults(storage, id, chunk, lines.values());
    const counted = await store.settle(id, chunk, { read, written }, settled);
    // What nobody refers to any more goes: the earlier object, or the one that came too late.
    countRows(deps, settled, counted ?? []);
    isWritten &&= counted !== null;
    if (!counted) old.push(batchObjects.results(id, chunk, written));
    else if (read !== '') old.push(batchObjects.results(id, chunk, read));
  }
  await storage.remove(old).catch((error: unknown) => {
    log.warn('results that were replaced could not be removed; they go with the batch', { batch_id: id, error });
  });
  return isWritten;
}

function isRemoval(end: EndedRow['end']): boolean {
  return 'record' in end && end.isRemoved === true;
}

function countRows({ metrics }: SettleDeps, settled: readonly SettledRow[], counted: readonly number[]): void {
  const now = new Set(counted);
  for (const { row, outcome } of settled) if (now.has(row)) metrics.batchRows.inc({ outcome });
}

function toLine(
  state: BatchState,
  row: Row | undefined,
  { row: number, end }: EndedRow,
): { line: BatchLine; costUsd: number } {
  const common = { row: number, key: row?.key ?? null, image: imageOf(row) };
  if (!('record' in end)) {
    const { code, message } = end;
    return { line: { ...common, status: 'failed', classification: null, error: { code, message } }, costUsd: 0 };
  }
  const resource = toResource(end.record);
  const status = resource.status as 'completed' | 'failed' | 'canceled';
  const error = status === 'failed' ? (resource.error ?? failure('internal_error', 'The request failed.')) : null;
  // A request that was there before the batch was paid for before.
  const isOwn = resource.batch?.id === state.spec.id;
  const costUsd = isOwn ? costOf(resource) : 0;
  return {
    line: {
      ...common,
      status,
      classification: end.isRemoved ? null : resource,
      error: error && { code: error.code, message: error.message },
    },
    costUsd,
  };
}

function imageOf(row: Row | undefined): string | null {
  if (!row) return null;
  return row.image.kind === 'url' ? row.image.url : row.image.name;
}
