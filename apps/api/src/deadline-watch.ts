import { isTerminal } from '@bunri/queue-contracts';
import type { Logger } from '@bunri/runtime';
import { msUntilOverdue, type RecordReader } from './record-reader.ts';

interface Watched {
  readonly onLost: Set<() => void>;
  timer: NodeJS.Timeout | undefined;
}

export interface DeadlineWatchDeps {
  readonly reader: Pick<RecordReader, 'read'>;
  readonly log: Logger;
  readonly now: () => number;
}

/**
 * Reads requests at their deadlines, once for all who listen: reading an overdue record closes it, which they then hear
 * like everybody. The deadline of a request that was retried is a later one. A record that is gone will tell nothing, so
 * that `onLost` does.
 *
 * @returns a function that watches for one listener, until what it returns is called. `deadlineAt` is in epoch ms, null
 * for a request that has ended.
 */
export function createDeadlineWatch({ reader, log, now }: DeadlineWatchDeps) {
  const watched = new Map<string, Watched>();

  function closeAt(id: string, entry: Watched, deadlineAt: number): void {
    // It may have been deserted while its record was read.
    if (watched.get(id) === entry)
      entry.timer = setTimeout(() => void close(id, entry), msUntilOverdue(deadlineAt, now()));
  }

  async function close(id: string, entry: Watched): Promise<void> {
    try {
      const record = await reader.read(id);
      if (!record) for (const tell of entry.onLost) tell();
      else if (!isTerminal(record.status)) closeAt(id, entry, record.request.deadlineAt);
    } catch (error) {
      log.warn('an overdue request could not be closed; the sweeper will', { request_id: id, error });
    }
  }

  function watchFrom(id: string, deadlineAt: number): Watched {
    const entry: Watched = { onLost: new Set(), timer: undefined };
    watched.set(id, entry);
    closeAt(id, entry, deadlineAt);
    return entry;
  }

  return (id: string, deadlineAt: number | null, onLost: () => void): (() => void) => {
    if (deadlineAt === null) return () => undefined;
    const entry = watched.get(id) ?? watchFrom(id, deadlineAt);
    entry.onLost.add(onLost);
    return () => {
      entry.onLost.delete(onLost);
      if (entry.onLost.size > 0) return;
      clearTimeout(entry.timer);
      if (watched.get(id) === entry) watched.delete(id);
    };
  };
}
