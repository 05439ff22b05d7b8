import type { Archiver, Metrics } from '@bunri/runtime';
import type { Task } from '../task.ts';

export interface ArchiveFinishedDeps {
  readonly archiver: Pick<Archiver, 'finished' | 'archive' | 'position' | 'setPosition'>;
  readonly metrics: Pick<Metrics, 'archived'>;
  readonly now?: () => number;
  /** How many requests one run looks at. */
  readonly mostLooked?: number;
}

/** Those who wait for an answer have read it by then. Also longer than clocks differ. */
const settledMs = 60_000;
/** More than four times of what ends in a minute at full load. */
const defaultMostLooked = 5_000;
/** The sweep is waiting: what is left is for the next minute. */
const longestMs = 10_000;
/** At once: about 1 MB, and a few ms of work in one go. */
const batch = 25;

/**
 * Puts requests to rest that ended more than a minute ago, the oldest first, from where the last run stopped. What it
 * finds done already, as after a run that was cut off, it passes over. Where Redis's clock was set back, what ended in the
 * hour that came twice may stay as it is until its retention ends.
 */
export function archiveFinished(deps: ArchiveFinishedDeps): Task {
  const { archiver, metrics, now = Date.now, mostLooked = defaultMostLooked } = deps;
  return async ({ signal, log }) => {
    const startedAt = now();
    const until = startedAt - settledMs;
    const position = await archiver.position();
    // A clock that was ahead for a while has left a position in the future.
    const found = await archiver.finished(position > until ? 0 : position, until, mostLooked);
    let looked = 0;
    let archived = 0;
    let unreadable = 0;
    while (looked < found.length && now() - startedAt < longestMs) {
      signal.throwIfAborted();
      const some = found.slice(looked, looked + batch);
      const counts = await archiver.archive(some.map(({ id }) => id));
      metrics.archived.inc(counts.archived);
      looked += some.length;
      archived += counts.archived;
      unreadable += counts.unreadable;
    }
    const last = found[looked - 1];
    // Not beyond the last one: what ended in the same millisecond is looked at again. And only now: a full Redis refuses
    // this, while archiving goes on there and makes room.
    if (last) await archiver.setPosition(last.finishedAt);
    if (unreadable > 0) log.error('records that cannot be read are not archived', { count: unreadable });
    return { looked, archived, unreadable };
  };
}
