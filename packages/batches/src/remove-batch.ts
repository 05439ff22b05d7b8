import { batchObjects } from './batch-keys.ts';
import type { BatchRemoval, BatchState } from './batch-state.ts';
import { chunksOf, getResults } from './chunks.ts';
import { forEachOf, type FeederDeps } from './feeder-deps.ts';

/** Each removes a record and a handful of objects. */
const removalsAtOnce = 20;

/**
 * One step of a deletion, of a batch that has nothing in flight: the requests of one chunk, or at last the objects and the
 * batch itself. The batch stands until the last step, so that whoever dies on the way leaves what the next look goes on with.
 *
 * @returns ms until the next step; null when nothing is left
 */
export async function removeStep(
  deps: FeederDeps,
  state: BatchState,
  { at, emptied, removed }: BatchRemoval,
): Promise<number | null> {
  const { store, log } = deps;
  const { id, owner } = state.spec;
  if (emptied < chunksOf(state.total)) {
    const requests = await requestsOf(deps, id, emptied);
    let left = 0;
    await forEachOf(requests, removalsAtOnce, async (requestId) => {
      if (!(await deps.removeRequest(requestId, state.spec))) left += 1;
    });
    // One that an operator has opened again is on its way to its end.
    if (left > 0) return 1_000;
    await store.emptied(id, { before: emptied, removed: requests.length });
    return 0;
  }
  const objects = await removeObjects(deps, id);
  const receipt = { at, requests: removed, objects };
  const gone = await store.erase(state.spec, receipt);
  if (gone) log.info('a batch was deleted', { batch_id: id, owner, requests: removed, objects });
  return gone ? null : 0;
}

/** Those that the batch made itself: a row may have found an earlier request by its own idempotency key. */
async function requestsOf({ store, storage }: FeederDeps, id: string, chunk: number): Promise<string[]> {
  const lines = await getResults(storage, id, chunk, await store.resultVersion(id, chunk));
  return [...(lines?.values() ?? [])].flatMap(({ classification }) =>
    classification?.batch?.id === id ? [classification.id] : [],
  );
}

async function removeObjects({ storage }: FeederDeps, id: string): Promise<number> {
  let count = 0;
  for (const prefix of [batchObjects.all(id), batchObjects.photos(id)]) {
    for await (const page of storage.list(prefix)) {
      await storage.remove(page.map(({ key }) => key));
      count += page.length;
    }
  }
  return count;
}
