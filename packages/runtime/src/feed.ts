import type { Redis } from 'ioredis';
import { isTerminal, type RequestEvent } from '@bunri/queue-contracts';
import type { Logger } from './log.ts';
import { parseEventMessage } from './record-reads.ts';
import type { RecordStore } from './records.ts';

export type EventFeed = ReturnType<typeof createEventFeed>;

/** After a failed read, as a connection that is coming back gives it. */
const readAgainMs = 250;

type Listener = (event: RequestEvent) => void;

/** How following a request came to its end. `gone`: its record is not in the store any more, or never was. */
export type FollowEnd = 'ended' | 'gone' | 'left';

/**
 * Events of requests for any number of listeners over one Redis connection. A channel is subscribed while it has at least
 * one listener, before the stream is read: what comes meanwhile is held back, so that nothing is missed or told twice.
 */
export function createEventFeed({
  records,
  subscriber,
  log,
}: {
  records: RecordStore;
  subscriber: Redis;
  log: Logger;
}) {
  const channels = new Map<string, { listeners: Set<Listener>; subscribed: Promise<unknown> }>();
  subscriber.on('message', (channel, message) => {
    const listeners = channels.get(channel)?.listeners;
    if (!listeners) return;
    try {
      const event = parseEventMessage(message);
      for (const listener of listeners) listener(event);
    } catch (error) {
      // What cannot be told now is in the stream, and read from there at the next gap; other requests go on.
      log.error('an event could not be told', { channel, error });
    }
  });

  async function listen(channel: string, listener: Listener): Promise<() => void> {
    const known = channels.get(channel);
    const entry = known ?? { listeners: new Set<Listener>(), subscribed: subscriber.subscribe(channel) };
    channels.set(channel, entry);
    entry.listeners.add(listener);
    const leave = () => {
      entry.listeners.delete(listener);
      if (entry.listeners.size > 0 || channels.get(channel) !== entry) return;
      channels.delete(channel);
      subscriber.unsubscribe(channel).catch(() => undefined);
    };
    try {
      await entry.subscribed;
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  return {
    /**
     * Calls `onEvent` for every event after `afterSeq`, old and new, in order and once each, until the request ends, its
     * record is found gone, or the signal aborts. What was published while Redis was away is read from the stream once it is
     * back. An end that was followed by a retry, as the stream tells, is an event like others.
     *
     * @throws when the stream cannot be read at the start; later trouble is waited out.
     */
    async follow(id: string, afterSeq: number, onEvent: Listener, signal: AbortSignal): Promise<FollowEnd> {
      const reading = createReading(records, { id, afterSeq, onEvent });
      let again: NodeJS.Timeout | undefined;
      // Subscriptions are sent again when the connection is back, and may come after this first read of the stream.
      const onReady = () => {
        reading.again();
        clearTimeout(again);
        again = setTimeout(reading.again, readAgainMs);
      };
      const onAbort = () => reading.finish('left');
      signal.addEventListener('abort', onAbort, { once: true });
      const listening = listen(records.keys.events(id), reading.onLive);
      subscriber.on('ready', onReady);
      try {
        // Subscribing takes as long as Redis is away; a listener may leave before.
        await Promise.race([listening, reading.end]);
        if (signal.aborted) return 'left';
        await reading.start();
        return await reading.end;
      } finally {
        reading.finish('left');
        clearTimeout(again);
        signal.removeEventListener('abort', onAbort);
        subscriber.off('ready', onReady);
        listening.then(
          (leave) => leave(),
          () => undefined,
        );
      }
    },

    get channelCount(): number {
      return channels.size;
    },
  };
}

/** One listener's place in a request's stream: what was told to it, and whether there is more to come. */
function createReading(
  records: RecordStore,
  { id, afterSeq, onEvent }: { id: string; afterSeq: number; onEvent: Listener },
) {
  let last = afterSeq;
  // Until the first read is done, what comes live is held back.
  let reading = true;
  let gap = false;
  let over = false;
  let retry: NodeJS.Timeout | undefined;
  const { promise: end, resolve } = Promise.withResolvers<FollowEnd>();

  function finish(how: FollowEnd): void {
    over = true;
    clearTimeout(retry);
    resolve(how);
  }

  function tell(event: RequestEvent): void {
    if (event.seq <= last || over) return;
    last = event.seq;
    onEvent(event);
  }

  async function read(): Promise<void> {
    reading = true;
    try {
      do {
        gap = false;
        const events = await records.events(id, last);
        for (const event of events) tell(event);
        const latest = events.at(-1);
        if (latest && endsRequest(latest)) finish('ended');
      } while (gap && !over);
    } finally {
      reading = false;
    }
  }

  async function start(): Promise<void> {
    await read();
    if (over) return;
    // No event will ever tell that a store came back empty, or that the request had ended before `afterSeq`.
    const record = await records.get(id);
    if (!record) finish('gone');
    else if (isTerminal(record.status)) {
      await read();
      finish('ended');
    }
  }

  function again(): void {
    gap = true;
    if (reading || over) return;
    clearTimeout(retry);
    start().catch(() => {
      if (!over) retry = setTimeout(again, readAgainMs);
    });
  }

  function onLive(event: RequestEvent): void {
    if (event.seq <= last) return;
    if (reading || event.seq !== last + 1) {
      again();
      return;
    }
    tell(event);
    if (endsRequest(event)) finish('ended');
  }

  return { end, finish, start, again, onLive };
}

function endsRequest(event: RequestEvent): boolean {
  return event.type === 'completed' || event.type === 'failed' || event.type === 'canceled';
}
