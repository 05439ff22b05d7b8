import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';
import type { Logger } from './log.ts';

/** What the scheduler says on the control channel, every hour. */
export const cleanupModelsMessage = 'cleanup_models';

/**
 * Unloads idle local models whenever the scheduler says so. The message is sent once and kept nowhere: a process that
 * misses it, as it had no connection, holds its models until the next one, an hour later.
 *
 * @param unloadIdle its failure is logged.
 */
export async function listenForModelCleanup(
  subscriber: Redis,
  keys: Pick<Keys, 'control'>,
  unloadIdle: () => Promise<readonly string[]>,
  log: Logger,
): Promise<void> {
  subscriber.on('message', (channel, message) => {
    if (channel !== keys.control || message !== cleanupModelsMessage) return;
    unloadIdle().then(
      (models) => log.info('idle models were unloaded', { models }),
      (error: unknown) => log.error('idle models were not unloaded', { error }),
    );
  });
  await subscriber.subscribe(keys.control);
}
