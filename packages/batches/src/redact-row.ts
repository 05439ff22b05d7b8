import type { RequestRecord } from '@bunri/runtime';
import { chunkOf } from './batch-keys.ts';
import { getResults } from './chunks.ts';
import { settleRows, type SettleDeps } from './settle-rows.ts';

export type RedactDeps = SettleDeps;

/** Each that fails is another process's that succeeded. */
const mostRounds = 20;
/** A running batch replaces the object now and then; what is missing time and again is past its retention. */
const readsOfOneChunk = 3;

/**
 * Takes what a row's request was asked and answered out of the results of its batch; how it ended stays. To be called while
 * the record is there, and before it goes, so that a deletion that breaks off does it again.
 *
 * @throws Error where others write the same results all the time
 */
export async function redactRow(deps: RedactDeps, record: RequestRecord): Promise<void> {
  const { id: requestId, batch } = record.request;
  if (!batch) return;
  const { store, storage } = deps;
  const chunk = chunkOf(batch.row);
  let missing = 0;
  for (let round = 0; round < mostRounds; round += 1) {
    const state = await store.get(batch.id);
    // With a batch that is being deleted its results go, too.
    if (!state || state.deletion) return;
    const lines = await getResults(storage, batch.id, chunk, await store.resultVersion(batch.id, chunk));
    if (lines) {
      if (lines.get(batch.row)?.classification?.id !== requestId) return;
      if (await settleRows(deps, state, [{ row: batch.row, requestId, end: { record, isRemoved: true } }])) return;
    } else if ((missing += 1) === readsOfOneChunk) return;
  }
  throw new Error(`the results of ${batch.id} change all the time`);
}
