import type { Redis } from 'ioredis';
import { createEventReads } from './feed-reads.ts';
import { createReading, readAgainMs, type FollowEnd, type Listener, type Reading } from './feed-reading.ts';
import type { Logger } from './log.ts';
import { parseEventMessage } from './record-reads.ts';
import type { RecordStore } from './records.ts';

export type { FollowEnd } from './feed-reading.ts';
export type EventFeed = ReturnType<typeof createEventFeed>;

/** A listener that is told the events of a request. */
export type Following = Pick<Reading, 'end' | 'pause' | 'resume' | 'leave'>;

/** A request's channel: subscribed from its first listener on until a moment after its last. */
interface Channel {
  readonly readings: Set<Reading>;
  readonly subscribed: Promise<void>;
  readonly onSubscribed: () => void;
  readonly onFailed: (error: unknown) => void;
}

/**
 * Events of requests for any number of listeners over one Redis connection. A channel is subscribed while it has at least
 * one listener, before the stream is read: what comes meanwhile is held back, so that nothing is missed or told twice.
 * What many listeners need in one turn of the event loop is asked of Redis together.
 */
export function createEventFeed({
  records,
  subscriber,
  log,
  readEvents = createEventReads(records),
}: {
  records: RecordStore;
  subscriber: Redis;
  log: Logger;
  /** Default: from the records' Redis. */
  readEvents?: ReturnType<typeof createEventReads>;
}) {
  const channels = new Map<string, Channel>();
  /** Channels that got their first listener, or lost their last one, in this turn of the event loop. */
  const arrived = new Set<string>();
  const deserted = new Set<string>();
  let rereading: NodeJS.Timeout | undefined;

  subscriber.on('message', (channel, message) => {
    const readings = channels.get(channel)?.readings;
    if (!readings || readings.size === 0) return;
    try {
      const event = parseEventMessage(message);
      for (const reading of readings) reading.onLive(event);
    } catch (error) {
      // What cannot be told now is in the stream, and read from there at the next gap; other requests go on.
      log.error('an event could not be told', { channel, error });
    }
  });
  subscriber.on('ready', () => {
    readAllAgain();
    clearTimeout(rereading);
    // Subscriptions are sent again when the connection is back, and may come after this first read of the streams.
    rereading = setTimeout(readAllAgain, readAgainMs);
    rereading.unref();
  });

  function readAllAgain(): void {
    for (const { readings } of channels.values()) for (const reading of readings) reading.again();
  }

  function enter(name: string): Channel {
    const known = channels.get(name);
    if (known) return known;
    const { promise: subscribed, resolve: onSubscribed, reject: onFailed } = Promise.withResolvers<void>();
    const channel: Channel = { readings: new Set(), subscribed, onSubscribed, onFailed };
    channels.set(name, channel);
    changeSoon();
    arrived.add(name);
    return channel;
  }

  function changeSoon(): void {
    if (arrived.size === 0 && deserted.size === 0) setImmediate(changeSubscriptions);
  }

  function changeSubscriptions(): void {
    const left = [...deserted].filter((name) => channels.get(name)?.readings.size === 0);
    for (const name of left) channels.delete(name);
    const come = [...arrived].flatMap((name): [string, Channel][] => {
      const channel = channels.get(name);
      return channel ? [[name, channel]] : [];
    });
    // Who came and left in the same turn was never subscribed.
    const known = left.filter((name) => !arrived.has(name));
    arrived.clear();
    deserted.clear();
    // A command for each, in one write: of a command for many, a broken connection may answer a part.
    for (const name of known) subscriber.unsubscribe(name).catch(() => undefined);
    for (const [name, channel] of come) void subscribe(name, channel);
  }

  async function subscribe(name: string, channel: Channel): Promise<void> {
    try {
      await subscriber.subscribe(name);
      channel.onSubscribed();
    } catch (error) {
      // The next listener tries anew.
      if (channels.get(name) === channel) channels.delete(name);
      channel.onFailed(error);
    }
  }

  /** Tells `onEvent` as `follow` does, until the listener leaves. */
  function open(id: string, afterSeq: number, onEvent: Listener): Following {
    const name = records.keys.events(id);
    const channel = enter(name);
    const onOver = () => {
      channel.readings.delete(reading);
      if (channel.readings.size > 0 || channels.get(name) !== channel) return;
      changeSoon();
      deserted.add(name);
    };
    const reading = createReading({ id, afterSeq, readEvents, onEvent, onOver });
    channel.readings.add(reading);
    // A listener may leave before: subscribing takes as long as Redis is away.
    channel.subscribed.then(reading.start, reading.fail);
    return reading;
  }

  return {
    open,

    /**
     * Calls `onEvent` for every event after `afterSeq`, old and new, in order and once each, until the request ends, its
     * record is found gone, or the signal aborts. What was published while Redis was away is read from the stream once it is
     * back. An end that was followed by a retry, as the stream tells, is an event like others.
     *
     * @throws when the stream cannot be read at the start; later trouble is waited out.
     */
    async follow(id: string, afterSeq: number, onEvent: Listener, signal: AbortSignal): Promise<FollowEnd> {
      if (signal.aborted) return 'left';
      const { end, leave } = open(id, afterSeq, onEvent);
      signal.addEventListener('abort', leave, { once: true });
      try {
        return await end;
      } finally {
        signal.removeEventListener('abort', leave);
      }
    },

    /** Channels with listeners. */
    get channelCount(): number {
      return [...channels.values()].filter(({ readings }) => readings.size > 0).length;
    },
  };
}
