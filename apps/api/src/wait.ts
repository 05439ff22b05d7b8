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
  const { end, leave } = feed.open(id, record.lastSeq, () => undefined);
  const timer = setTimeout(leave, Math.min(waitMs, msUntilOverdue(deadlineAt, now())));
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  let latest: RequestRecord | null;
  try {
    await end;
    latest = await reader.read(id);
  } catch (error) {
    log.warn('a wait was cut short', { request_id: id, error });
    return record;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', leave);
  }
  if (!latest) throw requestLost();
  return latest;
}
