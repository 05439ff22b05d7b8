import type { Redis } from 'ioredis';
import { StageAbort, type AbortCause } from './errors.ts';
import type { Keys } from './keys.ts';

/** A run in flight: what aborts it, and how to take it out again. */
export interface TrackedRun {
  readonly controller: AbortController;
  untrack(): void;
}

/** The runs in flight in this process, so that they can be aborted from outside. */
export interface AbortRegistry {
  /** A request may have two runs here at once: one whose lock ended, and the one that repeats it. */
  track(requestId: string): TrackedRun;
  abort(requestId: string, cause: AbortCause): void;
  /** Whether it was to be aborted a moment ago, also before it ran here. */
  heardOf(requestId: string): boolean;
  /** From then on also what comes. */
  abortAll(cause: AbortCause): void;
  readonly size: number;
}

/** Longer than it takes from a job's being taken to its run, in ms. */
const momentMs = 2_000;

export function createAbortRegistry(now: () => number = () => performance.now()): AbortRegistry {
  const running = new Map<AbortController, string>();
  /** When it was heard, the earliest first. */
  const heard = new Map<string, number>();
  let all: StageAbort | null = null;
  return {
    track(requestId) {
      const controller = new AbortController();
      if (all) controller.abort(all);
      running.set(controller, requestId);
      return { controller, untrack: () => void running.delete(controller) };
    },
    abort(requestId, cause) {
      for (const [id, at] of heard) {
        if (now() - at <= momentMs) break;
        heard.delete(id);
      }
      // Once more at the end.
      heard.delete(requestId);
      heard.set(requestId, now());
      for (const [controller, id] of running) if (id === requestId) controller.abort(new StageAbort(cause));
    },
    heardOf(requestId) {
      return now() - (heard.get(requestId) ?? -Infinity) <= momentMs;
    },
    abortAll(cause) {
      all = new StageAbort(cause);
      for (const controller of running.keys()) controller.abort(all);
    },
    get size() {
      return running.size;
    },
  };
}

/**
 * Hears which requests to stop, as `<cause> <request id>` messages. A message that is missed does no harm: the record says
 * the same, and a run's late result is refused.
 */
export async function listenForAborts(subscriber: Redis, keys: Keys, registry: AbortRegistry): Promise<void> {
  subscriber.on('message', (channel, message) => {
    if (channel !== keys.control) return;
    const [cause, requestId = ''] = message.split(' ');
    if (cause === 'canceled' || cause === 'deadline') registry.abort(requestId, cause);
  });
  await subscriber.subscribe(keys.control);
}
