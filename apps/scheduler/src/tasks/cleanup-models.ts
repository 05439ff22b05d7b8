import type { Redis } from 'ioredis';
import { cleanupModelsMessage, type Keys } from '@bunri/runtime';
import type { Task } from '../task.ts';

/**
 * Tells every worker, on the control channel, to unload local models that nobody has used for a while. Workers that call
 * a remote API have none and ignore it; `listeners` counts the processes that heard it, not the models. Nothing keeps the
 * message: who misses it hears the next, an hour later.
 */
export function cleanupModels({ redis, keys }: { redis: Redis; keys: Pick<Keys, 'control'> }): Task {
  return async () => ({ listeners: await redis.publish(keys.control, cleanupModelsMessage) });
}
