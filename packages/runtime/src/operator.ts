import { once } from 'node:events';
import * as z from 'zod';
import { parseConfig, processSettings } from './config.ts';
import { createDeadLetters, type DeadLetters } from './dead-letters.ts';
import { createFlowQueue, type FlowQueue } from './enqueue.ts';
import { createEventFeed, type EventFeed } from './feed.ts';
import { createInspector, type Inspector } from './inspection.ts';
import { createLogger } from './log.ts';
import { createRecordStore, type RecordStore } from './records.ts';
import { closeRedis, connectProducer, connectSubscriber } from './redis.ts';

const { REDIS_URL, REDIS_PREFIX } = processSettings;
const settings = z.object({ REDIS_URL, REDIS_PREFIX });

/** What somebody at a command line works with, while the apps run or not. */
export interface Operator {
  readonly prefix: string;
  readonly records: RecordStore;
  readonly flows: FlowQueue;
  readonly deadLetters: DeadLetters;
  readonly inspector: Inspector;
  /** Epoch ms by Redis's clock: deadlines are compared between machines. */
  readonly now: () => number;
  /** Opens a connection of its own for events. */
  openFeed(): EventFeed;
  close(): Promise<void>;
}

/** Redis does not answer where the settings say. The message has neither user nor password. */
export class RedisUnreachable extends Error {
  override readonly name = 'RedisUnreachable';
}

const connectTimeoutMs = 5_000;

/**
 * Opens the records and queues that REDIS_URL and REDIS_PREFIX name.
 * @throws ConfigError, RedisUnreachable
 */
export async function openOperator(env: Record<string, string | undefined>): Promise<Operator> {
  const { REDIS_URL: url, REDIS_PREFIX: prefix } = parseConfig(settings, env);
  // Every trouble ends as an error of the command that had it; a log would stand in its output.
  const log = createLogger({ app: 'queuectl', level: 'error', silent: true });
  const redis = connectProducer({ url, name: 'queuectl', log });
  let trouble = 'it did not answer in time';
  redis.on('error', (error: NodeJS.ErrnoException) => (trouble = error.message || (error.code ?? trouble)));
  try {
    await once(redis, 'ready', { signal: AbortSignal.timeout(connectTimeoutMs) });
  } catch (error) {
    redis.disconnect();
    const { host } = new URL(url);
    throw new RedisUnreachable(`Redis at ${host} cannot be reached: ${trouble}. Check REDIS_URL.`, { cause: error });
  }
  const [seconds = 0] = await redis.time();
  const offsetMs = clockOffsetMs(seconds * 1000, Date.now());
  const now = () => Date.now() + offsetMs;

  const records = createRecordStore({ redis, prefix, now });
  const flows = createFlowQueue({ redis, prefix });
  const inspector = createInspector({ records, prefix });
  const subscribers: ReturnType<typeof connectSubscriber>[] = [];
  return {
    prefix,
    records,
    flows,
    deadLetters: createDeadLetters({ records, flows, now }),
    inspector,
    now,
    openFeed() {
      const subscriber = connectSubscriber({ url, name: 'queuectl-subscriber', log });
      subscribers.push(subscriber);
      return createEventFeed({ records, subscriber, log });
    },
    async close() {
      await inspector.close();
      await flows.close();
      await Promise.all([redis, ...subscribers].map(closeRedis));
    },
  };
}

/** Whole seconds are what Redis was asked for, so that less than two of them are no difference. */
function clockOffsetMs(redisMs: number, ownMs: number): number {
  return Math.abs(redisMs - ownMs) < 2_000 ? 0 : redisMs - ownMs;
}
