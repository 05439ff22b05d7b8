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
  abortAll(cause: AbortCause): void;
  readonly size: number;
}

export function createAbortRegistry(): AbortRegistry {
  const running = new Map<AbortController, string>();
  return {
    track(requestId) {
      const controller = new AbortController();
      running.set(controller, requestId);
      return { controller, untrack: () => void running.delete(controller) };
    },
    abort(requestId, cause) {
      for (const [controller, id] of running) if (id === requestId) controller.abort(new StageAbort(cause));
    },
    abortAll(cause) {
      for (const controller of running.keys()) controller.abort(new StageAbort(cause));
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
