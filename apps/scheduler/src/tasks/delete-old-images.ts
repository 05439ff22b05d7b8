import type { Metrics, Storage } from '@bunri/runtime';
import type { Task } from '../task.ts';

export interface DeleteOldImagesDeps {
  readonly storage: Pick<Storage, 'list' | 'remove'>;
  readonly metrics: Metrics;
  /** Of uploads and normalised images. */
  readonly retentionMs: number;
  /** Of what people wrote about their answers. */
  readonly feedbackRetentionMs: number;
  readonly now?: () => number;
}

/** Deletes uploads, normalised images and feedback that were last written longer ago than their retention, a page at a time. */
export function deleteOldImages(deps: DeleteOldImagesDeps): Task {
  const { storage, metrics, retentionMs, feedbackRetentionMs, now = Date.now } = deps;
  const folders = [
    { folder: 'uploads/', kind: 'image', keptMs: retentionMs },
    { folder: 'images/', kind: 'image', keptMs: retentionMs },
    // Rows and results of batches, which name the images.
    { folder: 'batches/', kind: 'batch', keptMs: retentionMs },
    { folder: 'feedback/', kind: 'feedback', keptMs: feedbackRetentionMs },
  ];
  return async ({ signal }) => {
    const startedAt = now();
    let seen = 0;
    let deleted = 0;
    for (const { folder, kind, keptMs } of folders) {
      for await (const page of storage.list(folder)) {
        signal.throwIfAborted();
        const old = page.filter(({ lastModifiedMs }) => lastModifiedMs < startedAt - keptMs).map(({ key }) => key);
        await storage.remove(old);
        metrics.deletedObjects.inc({ kind }, old.length);
        seen += page.length;
        deleted += old.length;
      }
    }
    return { seen, deleted };
  };
}
