import type { Redis } from 'ioredis';
import { isTerminal, type RequestEvent } from '@bunri/queue-contracts';
import type { Logger } from './log.ts';
import { parseEventMessage, type RecordStore } from './records.ts';

export type EventFeed = ReturnType<typeof createEventFeed>;

/** After a failed read, as a connection that is coming back gives it. */
const readAgainMs = 250;

type Listener = (event: RequestEvent) => void;

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
     * Calls `onEvent` for every event after `afterSeq`, old and new, in order and once each, until the request ends or the
     * signal aborts. What was published while Redis was away is read from the stream once it is back.
     *
     * @throws when the stream cannot be read at the start; later trouble is waited out.
     */
    async follow(id: string, afterSeq: number, onEvent: Listener, signal: AbortSignal): Promise<void> {
      let last = afterSeq;
      let reading = true;
      let gap = false;
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const tell = (event: RequestEvent) => {
        if (event.seq <= last || signal.aborted) return;
        last = event.seq;
        onEvent(event);
        if (endsRequest(event)) end();
      };
      const read = async () => {
        reading = true;
        try {
          do {
            gap = false;
            for (const event of await records.events(id, last)) tell(event);
          } while (gap);
        } finally {
          reading = false;
        }
      };
      let again: NodeJS.Timeout | undefined;
      let left = false;
      const readAgain = () => {
        gap = true;
        if (reading || left) return;
        clearTimeout(again);
        read().catch(() => {
          again = setTimeout(readAgain, readAgainMs);
        });
      };
      // Subscriptions are sent again when the connection is back, and may come after this first read of the stream.
      const onReady = () => {
        readAgain();
        again = setTimeout(readAgain, readAgainMs);
      };
      signal.addEventListener('abort', () => end(), { once: true });
      const listening = listen(records.keys.events(id), (event) => {
        if (!reading && event.seq === last + 1) tell(event);
        else if (event.seq > last) readAgain();
      });
      subscriber.on('ready', onReady);
      try {
        // Subscribing takes as long as Redis is away; a listener may leave before.
        await Promise.race([listening, ended]);
        if (signal.aborted) return;
        await read();
        const record = await records.get(id);
        if (record && !isTerminal(record.status)) await ended;
        else await read();
      } finally {
        left = true;
        clearTimeout(again);
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

function endsRequest(event: RequestEvent): boolean {
  return event.type === 'completed' || event.type === 'failed' || event.type === 'canceled';
}
