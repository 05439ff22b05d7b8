import { isTerminal } from '@bunri/queue-contracts';
import type { EventFeed, Logger, RequestRecord } from '@bunri/runtime';
import { msUntilOverdue, requestLost, type RecordReader } from './record-reader.ts';

export interface WaitDeps {
  readonly feed: EventFeed;
  readonly reader: RecordReader;
  readonly log: Logger;
  readonly now: () => number;
}

/**
 * Waits until the request ends, but no longer than `waitMs` or the request's deadline, and not after an abort.
 * The request is accepted already, so that trouble while waiting is no error: the record then is the one that came in.
 *
 * @throws Problem `request_lost` when the store came back without it.
 */
export async function waitForEnd(
  { feed, reader, log, now }: WaitDeps,
  record: RequestRecord,
  waitMs: number,
  signal: AbortSignal,
): Promise<RequestRecord> {
  const { id, deadlineAt } = record.request;
  if (waitMs === 0 || isTerminal(record.status)) return record;
  const leave = new AbortController();
  const timer = setTimeout(() => leave.abort(), Math.min(waitMs, msUntilOverdue(deadlineAt, now())));
  const either = AbortSignal.any([leave.signal, signal]);
  let latest: RequestRecord | null;
  try {
    // The feed cannot be left while it subscribes, which takes as long as Redis is away.
    await Promise.race([feed.follow(id, record.lastSeq, () => undefined, either), aborted(either)]);
    latest = await reader.read(id);
  } catch (error) {
    log.warn('a wait was cut short', { request_id: id, error });
    return record;
  } finally {
    clearTimeout(timer);
    leave.abort();
  }
  if (!latest) throw requestLost();
  return latest;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
