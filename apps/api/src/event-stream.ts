import type { Response } from 'express';
import { isTerminal, type RequestEvent } from '@bunri/queue-contracts';
import { toResource, type EventFeed, type Logger, type Metrics, type RequestRecord } from '@bunri/runtime';
import { problemDocument } from './problem.ts';
import { msUntilOverdue, requestLost, type RecordReader } from './record-reader.ts';
import { requestIdOf } from './request-log.ts';

export interface EventStreamDeps {
  readonly feed: EventFeed;
  readonly reader: RecordReader;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now: () => number;
  /** Aborted when the process stops. */
  readonly stopping: AbortSignal;
  /** Between comments that keep proxies from closing a silent stream. */
  readonly heartbeatMs: number;
}

/**
 * What a client that reads too slowly may leave unread before it is cut off; it resumes where it was. More than the whole
 * history of a request, which is sent at once: a client that comes late is not slow.
 */
const maxUnreadBytes = 4 * 2 ** 20;
/** How long a client waits before it connects again, as the stream tells it. */
const reconnectMs = 2_000;

/** One event in the form of the HTML standard's server-sent events. The resource stands in the last event of a request. */
export function formatEvent(event: RequestEvent, resource?: unknown): string {
  const data = {
    ...event.data,
    ...(resource === undefined ? {} : { resource }),
    seq: event.seq,
    type: event.type,
    at: new Date(event.at).toISOString(),
  };
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** What a stream ends with whose request was lost: the problem document, in an event without an id. */
function formatLost(requestId: string): string {
  return `event: error\ndata: ${JSON.stringify(problemDocument(requestLost(), requestId))}\n\n`;
}

/**
 * Sends every event after `afterSeq`, old and new, until the request ends, the client leaves or the process stops. The
 * client resumes after the last id it saw, on any API process, and misses nothing.
 */
export async function streamEvents(
  deps: EventStreamDeps,
  response: Response,
  { record, afterSeq }: { record: RequestRecord; afterSeq: number },
): Promise<void> {
  const { id } = record.request;
  const left = new AbortController();
  response.once('close', () => left.abort());
  const signal = AbortSignal.any([left.signal, deps.stopping]);
  const send = (text: string) => {
    if (signal.aborted || response.destroyed) return;
    response.write(text);
    if (response.writableLength > maxUnreadBytes) response.destroy();
  };

  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
  send(`retry: ${reconnectMs}\n\n`);
  const lost = new AbortController();
  const stopTimers = startTimers(deps, record, {
    beat: () => send(': still here\n\n'),
    onLost: () => lost.abort(),
  });
  deps.metrics.eventListeners.inc();
  try {
    const end = await untilLastEvent(deps.feed, { id, afterSeq, signal: AbortSignal.any([signal, lost.signal]), send });
    if (end.last) send(formatEvent(end.last, await readResource(deps.reader, id)));
    if (end.gone || lost.signal.aborted) send(formatLost(requestIdOf(response)));
  } catch (error) {
    // The answer has begun, so that the only way to tell is to end it; the client comes back by itself.
    deps.log.warn('an event stream broke off', { request_id: id, error });
  } finally {
    stopTimers();
    deps.metrics.eventListeners.dec();
    response.end();
  }
}

/** Sends events as they come, but keeps the last one, if it ends the request: it is to be told with the resource. */
async function untilLastEvent(
  feed: EventFeed,
  follow: { id: string; afterSeq: number; signal: AbortSignal; send: (text: string) => void },
): Promise<{ last: RequestEvent | undefined; gone: boolean }> {
  const { id, afterSeq, signal, send } = follow;
  let last: RequestEvent | undefined;
  const onEvent = (event: RequestEvent) => {
    // It was not the last one: the request was retried.
    if (last) send(formatEvent(last));
    last = undefined;
    if (event.type === 'completed' || event.type === 'failed' || event.type === 'canceled') last = event;
    else send(formatEvent(event));
  };
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  // The feed cannot be left while it subscribes, which takes as long as Redis is away.
  const end = await Promise.race([feed.follow(id, afterSeq, onEvent, signal), aborted]);
  return { last, gone: end === 'gone' };
}

async function readResource(reader: RecordReader, id: string): Promise<unknown> {
  const record = await reader.read(id);
  return record ? toResource(record) : null;
}

/**
 * The heartbeat, and the deadline: reading an overdue record closes it, which the stream then hears like everybody. The
 * deadline of a request that was retried is a later one, and a record that is gone will tell nothing.
 */
function startTimers(
  { reader, log, now, heartbeatMs }: EventStreamDeps,
  { request, status }: RequestRecord,
  { beat, onLost }: { beat: () => void; onLost: () => void },
): () => void {
  const { id } = request;
  let deadline: NodeJS.Timeout | undefined;
  let stopped = false;
  const closeAt = (deadlineAt: number) => {
    if (!stopped) deadline = setTimeout(() => void close(), msUntilOverdue(deadlineAt, now()));
  };
  const close = async () => {
    try {
      const record = await reader.read(id);
      if (!record) onLost();
      else if (!isTerminal(record.status)) closeAt(record.request.deadlineAt);
    } catch (error) {
      log.warn('an overdue request could not be closed; the sweeper will', { request_id: id, error });
    }
  };
  const heartbeat = setInterval(beat, heartbeatMs);
  if (!isTerminal(status)) closeAt(request.deadlineAt);
  return () => {
    stopped = true;
    clearInterval(heartbeat);
    clearTimeout(deadline);
  };
}
