import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ToldEvent } from './accounting.ts';
import { BrokenConnection, exchange } from './exchange.ts';
import { readEvents } from './patient-client.ts';

const ends = new Set(['completed', 'failed', 'canceled']);

/**
 * Follows a request on ever new connections, each of which it drops after a moment, in the middle of an event or not.
 * @returns how many connections it took.
 */
export async function readRestlessly(
  eventsUrl: string,
  options: {
    readonly onEvent: (event: ToldEvent) => void;
    readonly random: () => number;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const { random, signal } = options;
  const agent = new Agent();
  let last = '';
  let type = '';
  const onEvent = (event: ToldEvent) => {
    [last, type] = [String(event.seq), event.type];
    options.onEvent(event);
  };
  for (let connections = 1; ; connections += 1) {
    const dropped = AbortSignal.timeout(10 + Math.floor(random() * 90));
    try {
      const answer = await exchange(agent, eventsUrl, {
        headers: { accept: 'text/event-stream', ...(last ? { 'last-event-id': last } : {}) },
        signal: AbortSignal.any([signal, dropped]),
      });
      if (answer.status !== 200 && answer.status !== 204) throw new Error(`the event stream answered ${answer.status}`);
      await readEvents(answer, onEvent);
      if (answer.status === 204) return connections;
    } catch (error) {
      if (!(error instanceof BrokenConnection && dropped.aborted)) throw error;
    }
    if (ends.has(type)) return connections;
    await delay(random() * 20, undefined, { signal });
  }
}
