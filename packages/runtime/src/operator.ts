import { once } from 'node:events';
import type { Redis } from 'ioredis';
import * as z from 'zod';
import { createApiKeys, type ApiKeys } from './api-keys.ts';
import { createAudit, type Audit } from './audit.ts';
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
  readonly redis: Redis;
  readonly records: RecordStore;
  readonly flows: FlowQueue;
  readonly deadLetters: DeadLetters;
  readonly inspector: Inspector;
  readonly apiKeys: ApiKeys;
  readonly audit: Audit;
  /** Epoch ms by Redis's clock: deadlines are compared between machines. */
  readonly now: () => number;
  /** By how much Redis's clock was ahead of this machine's, ms. */
  readonly clockOffsetMs: number;
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
  const log = createLogger({ app: 'bunri', level: 'error', silent: true });
  const redis = connectProducer({ url, prefix, name: 'bunri', log });
  await untilReady(redis, new URL(url).host);
  const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
  const clockOffsetMs = Math.round(seconds * 1000 + micros / 1000 - Date.now());
  // What a round trip explains is no difference.
  const offsetMs = Math.abs(clockOffsetMs) < 2_000 ? 0 : clockOffsetMs;
  const now = () => Date.now() + offsetMs;

  const records = createRecordStore({ redis, prefix, now });
  const flows = createFlowQueue({ redis, prefix });
  const inspector = createInspector({ records, prefix });
  const subscribers: Redis[] = [];
  return {
    prefix,
    redis,
    records,
    flows,
    deadLetters: createDeadLetters({ records, flows, now }),
    inspector,
    apiKeys: createApiKeys({ redis, prefix, now }),
    audit: createAudit({ redis, prefix, log }),
    now,
    clockOffsetMs,
    openFeed() {
      const subscriber = connectSubscriber({ url, prefix, name: 'bunri-subscriber', log });
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

/** @throws RedisUnreachable */
async function untilReady(redis: Redis, host: string): Promise<void> {
  let trouble = 'it did not answer in time';
  redis.on('error', (error: NodeJS.ErrnoException) => (trouble = error.message || (error.code ?? trouble)));
  try {
    await once(redis, 'ready', { signal: AbortSignal.timeout(connectTimeoutMs) });
  } catch (error) {
    redis.disconnect();
    throw new RedisUnreachable(`Redis at ${host} cannot be reached: ${trouble}. Check REDIS_URL.`, { cause: error });
  }
}
