import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { ClassificationEvent } from './answers.ts';
import { ConnectionError, isPassing, problemOfEvent, type ProblemError } from './errors.ts';
import { limitTry, type Exchange } from './exchange.ts';

export interface FollowOptions {
  /** Only events after this number. Default: all. */
  readonly after?: number;
  readonly signal?: AbortSignal | undefined;
  /** How long nothing may be heard of the request before it is given up, ms. Default: the client's patience. */
  readonly patienceMs?: number;
}

/** The API begins a stream at once; where nothing comes, something between holds it back. */
const firstWordMs = 10_000;
/** And sends a comment every 15 s: a connection that is silent for longer is dead, whatever the socket says. */
const silenceMs = 45_000;
/** A connection that lived for so long was a good one, even if the request had nothing to tell. */
const goodConnectionMs = 10_000;
/** Of one event; the last has the whole resource. */
const maxEventLength = 4 * 2 ** 20;

/** What one connection knows of the next. */
interface Connection {
  /** How long to wait before the next connection, as the stream says; ms. */
  reconnectMs: number;
  /** The API said that there is nothing more, and that nobody should come again. */
  isOver: boolean;
}

/**
 * Every event of a request, each once and in order, over as many connections as it takes: each resumes after the last event
 * that was seen. Ends with the request's end; leaving the loop closes the connection.
 *
 * @throws ProblemError where there is no such request or it was lost, ConnectionError where nothing was heard for longer
 * than the patience, the reason of an abort
 */
export async function* followEvents(
  exchange: Exchange,
  path: string,
  { after = 0, signal, patienceMs = exchange.patienceMs }: FollowOptions,
): AsyncGenerator<ClassificationEvent, void, undefined> {
  const { now, delay, pauseMs } = exchange;
  const connection: Connection = { reconnectMs: 1_000, isOver: false };
  let last = after;
  let type = '';
  let failures = 0;
  let heardAt = now();
  for (;;) {
    const openedAt = now();
    let trouble: ConnectionError | ProblemError = new ConnectionError('The event stream ended before the request did.');
    try {
      for await (const message of listen(exchange, path, last, connection, signal)) {
        const event = toEvent(message);
        if (!event || event.seq <= last) continue;
        ({ seq: last, type } = event);
        failures = 0;
        heardAt = now();
        yield event;
        if (endsRequest(type) && event.resource) return;
      }
    } catch (error) {
      if (!isPassing(error)) throw error;
      trouble = error;
    }
    // A request that had ended may go on, if an operator retries it: then the stream does too.
    if (connection.isOver || endsRequest(type)) return;
    failures += 1;
    if (now() - openedAt >= goodConnectionMs) heardAt = now();
    const restMs = Math.max(
      connection.reconnectMs,
      failures > 1 || 'status' in trouble ? pauseMs(trouble, failures) : 0,
    );
    if (now() - heardAt + restMs > patienceMs) throw trouble;
    await delay(restMs, signal);
  }
}

/** The messages of one connection, which is closed with it. */
async function* listen(
  exchange: Exchange,
  path: string,
  last: number,
  connection: Connection,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const limit = limitTry(signal, firstWordMs);
  const messages: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onRetry: (ms) => (connection.reconnectMs = Math.min(ms, 60_000)),
    maxBufferSize: maxEventLength,
  });
  const headers = { accept: 'text/event-stream', ...(last > 0 ? { 'last-event-id': String(last) } : {}) };
  try {
    const reader = await exchange.attempt(path, { headers, signal }, limit, async (response) => {
      connection.isOver = response.status === 204;
      return await Promise.resolve(response.body?.getReader());
    });
    if (connection.isOver || !reader) return;
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal?.throwIfAborted();
        throw new ConnectionError('The event stream broke off.', { cause: error });
      });
      if (done) return;
      limit.extend(silenceMs);
      parser.feed(decoder.decode(value, { stream: true }));
      yield* messages.splice(0);
    }
  } finally {
    limit.end();
  }
}

/** Null for what is no event of a request. @throws ProblemError for the one that ends the stream of a lost request */
function toEvent({ id, event: type = '', data }: EventSourceMessage): ClassificationEvent | null {
  if (type === 'error' && id === undefined) throw problemOfEvent(data);
  const seq = Number(id);
  if (id === undefined || !Number.isSafeInteger(seq)) return null;
  return JSON.parse(data) as ClassificationEvent;
}

function endsRequest(type: string): boolean {
  return type === 'completed' || type === 'failed' || type === 'canceled';
}
