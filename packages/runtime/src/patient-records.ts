import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './log.ts';
import type { RecordStore } from './records.ts';

/** The store refused for longer than it was waited for, or the run was aborted meanwhile. The job is to be put back. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

const firstPauseMs = 100;
const longestPauseMs = 2_000;
const patienceMs = 60_000;

type Transitions = Pick<RecordStore, 'isAwaited' | 'start' | 'finish' | 'retry' | 'release' | 'giveUp' | 'fail'>;

/**
 * The transitions of a run, and the look before the first, repeated while Redis refuses to write, as one does that is out of memory or has become a replica
 * (a connection that is gone is waited for by the client already). Trouble with the record is no failure of the stage: it
 * must spend no attempt, and must not throw away what was paid for. Every transition may be repeated.
 *
 * @throws StoreUnavailable
 */
export function patientRecords(
  records: Transitions,
  { signal, log, now = Date.now }: { signal: AbortSignal; log: Logger; now?: () => number },
): Transitions {
  async function patiently<Result>(transition: () => Promise<Result>): Promise<Result> {
    const giveUpAt = now() + patienceMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await transition();
      } catch (error) {
        if (pauseMs === firstPauseMs) log.warn('the record cannot be written; waiting', { error });
        if (signal.aborted || now() >= giveUpAt) {
          throw new StoreUnavailable('the record could not be written', { cause: error });
        }
      }
      // An abort ends the pause, and the transition is tried once more.
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    isAwaited: async (...args) => await patiently(async () => await records.isAwaited(...args)),
    start: async (...args) => await patiently(async () => await records.start(...args)),
    finish: async (...args) => await patiently(async () => await records.finish(...args)),
    retry: async (...args) => await patiently(async () => await records.retry(...args)),
    release: async (...args) => await patiently(async () => await records.release(...args)),
    giveUp: async (...args) => await patiently(async () => await records.giveUp(...args)),
    fail: async (...args) => await patiently(async () => await records.fail(...args)),
  };
}
