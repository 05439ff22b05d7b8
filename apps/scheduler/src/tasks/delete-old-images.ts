import type { Metrics, Storage } from '@bunri/runtime';
import type { Task } from '../task.ts';

export interface DeleteOldImagesDeps {
  readonly storage: Pick<Storage, 'list' | 'remove'>;
  readonly metrics: Metrics;
  readonly retentionMs: number;
  readonly now?: () => number;
}

const folders = ['uploads/', 'images/'];

/** Deletes uploads and normalised images that were last written longer ago than the retention, a page at a time. */
export function deleteOldImages({ storage, metrics, retentionMs, now = Date.now }: DeleteOldImagesDeps): Task {
  return async ({ signal }) => {
    const oldest = now() - retentionMs;
    let seen = 0;
    let deleted = 0;
    for (const folder of folders) {
      for await (const page of storage.list(folder)) {
        signal.throwIfAborted();
        const old = page.filter(({ lastModifiedMs }) => lastModifiedMs < oldest).map(({ key }) => key);
        await storage.remove(old);
        metrics.deletedObjects.inc({ kind: 'image' }, old.length);
        seen += page.length;
        deleted += old.length;
      }
    }
    return { seen, deleted };
  };
}
