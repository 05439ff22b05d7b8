import type { Redis } from 'ioredis';
import { StageAbort, type AbortCause } from './errors.ts';
import type { Keys } from './keys.ts';

/** The runs in flight in this process, so that they can be aborted from outside. */
export interface AbortRegistry {
  track(requestId: string): AbortController;
  untrack(requestId: string): void;
  abort(requestId: string, cause: AbortCause): void;
  abortAll(cause: AbortCause): void;
  readonly size: number;
}

export function createAbortRegistry(): AbortRegistry {
  const running = new Map<string, AbortController>();
  return {
    track(requestId) {
      const controller = new AbortController();
      running.set(requestId, controller);
      return controller;
    },
    untrack(requestId) {
      running.delete(requestId);
    },
    abort(requestId, cause) {
      running.get(requestId)?.abort(new StageAbort(cause));
    },
    abortAll(cause) {
      for (const controller of running.values()) controller.abort(new StageAbort(cause));
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
