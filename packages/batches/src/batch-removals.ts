import type { Redis } from 'ioredis';
import * as z from 'zod';
import { batchDeletionSchema, type BatchDeletion } from '@bunri/queue-contracts';
import { ofBatch, type BatchKeys } from './batch-keys.ts';
import type { BatchScriptRunner } from './batch-scripts.ts';
import type { BatchSpec } from './batch-state.ts';

/** For as long a client that did not hear of the end may ask again. */
const receiptTtlMs = 24 * 3600 * 1000;
const receiptSchema = z.object({ owner: z.string(), receipt: batchDeletionSchema });

/** The steps of a deletion, of which each may be repeated. They are methods of the store of batches. */
export function createBatchRemovals({
  redis,
  keys,
  script,
  now,
}: {
  redis: Redis;
  keys: BatchKeys;
  script: BatchScriptRunner;
  now?: (() => number) | undefined;
}) {
  const at = () => now?.() ?? '';
  return {
    /** From here on it is being deleted: the feeder does it. @returns false where it is gone. */
    async condemn(id: string): Promise<boolean> {
      return (await script('condemn', [keys.batch(id), keys.open], [at(), id]))[0] === 'condemned';
    },

    /** The requests of one more chunk are gone; `before`: how many chunks were done before. */
    async emptied(id: string, { before, removed }: { before: number; removed: number }): Promise<void> {
      await script('emptied', [keys.batch(id)], [at(), before, removed]);
    },

    /** Leaves nothing of a batch that is being deleted but its receipt. @returns false while it has rows in flight. */
    async erase(
      { id, owner }: Pick<BatchSpec, 'id' | 'owner'>,
      { at: requestedAt, requests, objects }: { at: number; requests: number; objects: number },
    ): Promise<boolean> {
      const receipt = {
        id,
        status: 'deleted',
        requested_at: new Date(requestedAt).toISOString(),
        completed_at: new Date(now?.() ?? Date.now()).toISOString(),
        in_flight: 0,
        requests_removed: requests,
        objects_removed: objects,
      } satisfies BatchDeletion;
      const args = [at(), id, JSON.stringify({ owner, receipt }), receiptTtlMs];
      const [outcome] = await script('erase', [...ofBatch(keys, id), keys.owner(owner), keys.deletion(id)], args);
      return outcome === 'erased' || outcome === 'gone';
    },

    /** What was removed with a batch of this owner's within the last day; null where there was none. */
    async receipt(id: string, owner: string): Promise<BatchDeletion | null> {
      const text = await redis.get(keys.deletion(id));
      if (text === null) return null;
      const { owner: whose, receipt } = receiptSchema.parse(JSON.parse(text));
      return whose === owner ? receipt : null;
    },
  };
}
