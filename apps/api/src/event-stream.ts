import type { Response } from 'express';
import type { RequestEvent } from '@bunri/queue-contracts';
import { toResource, type EventFeed, type Following, type Logger, type Metrics } from '@bunri/runtime';
import { createDeadlineWatch } from './deadline-watch.ts';
import { problemDocument } from './problem.ts';
import { requestLost, type RecordReader } from './record-reader.ts';
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

/** What a stream is about. */
export interface Subject {
  readonly id: string;
  readonly afterSeq: number;
  /** Epoch ms; null for a request that has ended. */
  readonly deadlineAt: number | null;
}

/** A stream until its client has all of it. Times are counted in ticks, of which a heartbeat has `ticksPerBeat`. */
interface Stream {
  readonly response: Response;
  readonly following: Following;
  writtenAt: number;
  /** Since when its client has not read all that it was sent, although it was waited for; null while it keeps up. */
  blockedAt: number | null;
}

/** How long a client waits before it connects again, as the stream tells it. */
const reconnectMs = 2_000;
const ticksPerBeat = 15;
/** A client that has not read what it was sent within so many heartbeats is cut off; it resumes where it was. */
const patienceBeats = 4;
/** Nor may it leave more unread than this. A slow client is sent a page of events at a time, which is far less. */
const maxUnreadBytes = 4 * 2 ** 20;
/** Streams that get their heartbeat in one go, during which nobody hears anything else. */
const beatsAtOnce = 50;

const heartbeat = Buffer.from(': still here\n\n');
const greeting = Buffer.from(`retry: ${reconnectMs}\n\n`);

/** One event in the form of the HTML standard's server-sent events. The resource stands in the last event of a request. */
function formatEvent({ seq, type, at, data }: RequestEvent, resource?: unknown): Buffer {
  const own = JSON.stringify(resource === undefined ? data : { ...data, resource });
  // Put together as text: to copy the data into another object first takes twice as long.
  const common = `"seq":${seq},"type":${JSON.stringify(type)},"at":"${new Date(at).toISOString()}"}`;
  const whole = own === '{}' ? `{${common}` : `${own.slice(0, -1)},${common}`;
  return Buffer.from(`id: ${seq}\nevent: ${type}\ndata: ${whole}\n\n`);
}

/** What a stream ends with whose request was lost: the problem document, in an event without an id. */
function formatLost(requestId: string): string {
  return `event: error\ndata: ${JSON.stringify(problemDocument(requestLost(), requestId))}\n\n`;
}

/** All streams of a process. What is the same for many listeners is made once. */
export function createEventStreams(deps: EventStreamDeps) {
  const { feed, reader, metrics, log, stopping, heartbeatMs } = deps;
  /** In the order in which they were written to, the longest silent first. */
  const streams = new Set<Stream>();
  const watch = createDeadlineWatch(deps);
  const formatted = new WeakMap<RequestEvent, Buffer>();
  const formattedLast = new WeakMap<RequestEvent, Promise<Buffer>>();
  let now = 0;
  let ticking: NodeJS.Timeout | undefined;
  stopping.addEventListener('abort', () => {
    for (const { following } of streams) following.leave();
  });

  function format(event: RequestEvent): Buffer {
    const known = formatted.get(event);
    if (known) return known;
    const text = formatEvent(event);
    formatted.set(event, text);
    return text;
  }

  async function formatLast(event: RequestEvent, id: string): Promise<Buffer> {
    const known = formattedLast.get(event);
    if (known) return await known;
    const text = reader.read(id).then((record) => formatEvent(event, record ? toResource(record) : null));
    formattedLast.set(event, text);
    return await text;
  }

  function touch(stream: Stream): void {
    if (stream.writtenAt === now) return;
    stream.writtenAt = now;
    if (streams.delete(stream)) streams.add(stream);
  }

  function send(stream: Stream, text: Buffer | string): void {
    const { response, following } = stream;
    if (response.destroyed || response.writableEnded) return;
    touch(stream);
    const keepsUp = response.write(text);
    if (response.writableLength > maxUnreadBytes) response.destroy();
    if (keepsUp || stream.blockedAt !== null) return;
    // The rest is read from Redis once the client has read this: a slow one costs no memory here.
    stream.blockedAt = now;
    following.pause();
    response.once('drain', () => {
      stream.blockedAt = null;
      following.resume();
    });
  }

  function tick(): void {
    now += 1;
    beatSilent();
  }

  function beatSilent(): void {
    let beaten = 0;
    for (const stream of streams) {
      if (stream.writtenAt + ticksPerBeat > now) return;
      if (beaten === beatsAtOnce) {
        setImmediate(beatSilent);
        return;
      }
      beaten += 1;
      const { blockedAt, response } = stream;
      if (blockedAt === null) send(stream, heartbeat);
      else if (blockedAt + patienceBeats * ticksPerBeat <= now) response.destroy();
      touch(stream);
    }
  }

  function keep(stream: Stream): void {
    streams.add(stream);
    ticking ??= setInterval(tick, heartbeatMs / ticksPerBeat);
    stream.response.once('close', () => {
      stream.following.leave();
      streams.delete(stream);
      if (streams.size > 0) return;
      clearInterval(ticking);
      ticking = undefined;
    });
  }

  return {
    /**
     * Sends every event after `afterSeq`, old and new, until the request ends, the client leaves or the process stops. The
     * client resumes after the last id it saw, on any API process, and misses nothing.
     */
    serve(response: Response, { id, afterSeq, deadlineAt }: Subject): void {
      // A client that left before the stream began is not told of again.
      if (response.destroyed) return;
      let last: RequestEvent | undefined;
      let lost = false;
      const onEvent = (event: RequestEvent) => {
        // It was not the last one: the request was retried.
        if (last) send(stream, format(last));
        last = endsRequest(event) ? event : undefined;
        // The last one is to be told with the resource.
        if (!last) send(stream, format(event));
      };
      const stream: Stream = {
        response,
        following: feed.open(id, afterSeq, onEvent),
        writtenAt: now,
        blockedAt: null,
      };
      const { following } = stream;
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
      keep(stream);
      send(stream, greeting);
      metrics.eventListeners.inc();
      const endWatch = watch(id, deadlineAt, () => {
        lost = true;
        following.leave();
      });
      if (stopping.aborted) following.leave();

      const close = async () => {
        const end = await following.end;
        if (end === 'ended' && last) send(stream, await formatLast(last, id));
        if (end === 'gone' || lost) send(stream, formatLost(requestIdOf(response)));
      };
      close()
        // The answer has begun, so that the only way to tell is to end it; the client comes back by itself.
        .catch((error: unknown) => log.warn('an event stream broke off', { request_id: id, error }))
        .finally(() => {
          endWatch();
          metrics.eventListeners.dec();
          stream.blockedAt ??= now;
          response.end();
        });
    },
  };
}

function endsRequest({ type }: RequestEvent): boolean {
  return type === 'completed' || type === 'failed' || type === 'canceled';
}
