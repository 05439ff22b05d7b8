import type { Request } from '@bunri/queue-contracts';
import type { Logger, Metrics, RecordStore, Storage } from '@bunri/runtime';
import type { BatchSpec } from './batch-state.ts';
import type { BatchStore, FlightLimits } from './batch-store.ts';

export type SubmitOutcome =
  /** `id` is another one where the row's idempotency key names an earlier request. */
  { readonly outcome: 'accepted'; readonly id: string } | { readonly outcome: 'refused'; readonly message: string };

export interface FeederDeps {
  readonly store: BatchStore;
  readonly records: Pick<RecordStore, 'redis' | 'keys' | 'get' | 'cancel'>;
  readonly storage: Pick<Storage, 'put' | 'getBytes' | 'remove' | 'list'>;
  /** Accepts a request under its own id, once however often it is called. `key` is the row's idempotency key. */
  readonly submitRow: (request: Request, key: string | undefined) => Promise<SubmitOutcome>;
  /** Removes what a row's request has left, of a batch that is being deleted. @returns whether nothing of it is left */
  readonly removeRequest: (requestId: string, of: Pick<BatchSpec, 'id' | 'owner'>) => Promise<boolean>;
  /** The code of what keeps requests of this owner from being accepted now; null where nothing does. */
  readonly refusalOf: (owner: string) => Promise<string | null>;
  readonly limits: FlightLimits;
  readonly metrics: Pick<Metrics, 'batchRows'>;
  readonly log: Logger;
  readonly now: () => number;
}

/** Runs the work for each, so many at once, and waits for all of them. */
export async function forEachOf<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const run = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, run));
}
