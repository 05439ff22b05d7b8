import type { Redis, RedisOptions } from 'ioredis';
import { afterRunning } from './after-running.ts';
import { SlotRedis } from './cluster-redis.ts';
import type { Logger } from './log.ts';
import { BatchingRedis } from './redis-batching.ts';
import { clusterOf, sentinelsOf } from './redis-url.ts';

export interface RedisClientOptions {
  readonly url: string;
  /** What all keys begin with, a name in braces. A cluster needs it: the client goes to the node that has these keys. */
  readonly prefix?: string;
  readonly name: string;
  readonly log: Logger;
  /** Called with 1 when Redis answers and 0 when it does not. */
  readonly onUp?: (up: 0 | 1) => void;
}

const shared: RedisOptions = {
  keepAlive: 10_000,
  connectTimeout: 5_000,
  // A primary that became a replica keeps its connections: reconnecting finds the new one, and sends the command again.
  reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
  // Reconnecting never gives up: the process lives on, readiness says that it is cut off.
  retryStrategy: (attempt) => Math.min(attempt * 100, 2_000) * (0.5 + Math.random() / 2),
};

/**
 * For work that somebody waits for: a command fails within milliseconds while Redis is away, so that the caller can say
 * so, instead of waiting in a queue that nobody sees.
 */
export function connectProducer(options: RedisClientOptions): Redis {
  return connect(options, { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 5_000 });
}

/**
 * For workers: a command waits until Redis is back, since the result that it carries has been paid for. BullMQ requires
 * `maxRetriesPerRequest: null` for its blocking reads.
 */
export function connectConsumer(options: RedisClientOptions): Redis {
  return connect(options, { maxRetriesPerRequest: null });
}

/** For Pub/Sub: subscriptions come back after a reconnect. */
export function connectSubscriber(options: RedisClientOptions): Redis {
  return connect(options, { maxRetriesPerRequest: null, autoResubscribe: true });
}

function connect(options: RedisClientOptions, recipe: RedisOptions): Redis {
  const { name, log, onUp } = options;
  const redis = open(options, { ...shared, ...recipe, connectionName: name });
  let lastError = '';
  redis.on('error', (error) => {
    // One line for each new trouble, not one for each attempt to reconnect.
    if (error.message !== lastError) log.warn('redis connection trouble', { connection: name, error });
    lastError = error.message;
    onUp?.(0);
  });
  redis.on('close', () => onUp?.(0));
  redis.on('ready', () => {
    if (lastError !== '') log.info('redis connection is back', { connection: name });
    lastError = '';
    onUp?.(1);
  });
  return redis;
}

function open({ url, prefix }: RedisClientOptions, settings: RedisOptions): Redis {
  const cluster = clusterOf(url);
  if (cluster) {
    if (prefix === undefined || !/\{[^}]+\}/.test(prefix)) {
      throw new Error(
        'a Redis Cluster needs a prefix with a name in braces, such as {bunri}: they keep all keys in one slot',
      );
    }
    // A key of ours like any other to the rules of an ACL; there is none of this name.
    return new SlotRedis(cluster, `${prefix}:cluster`, settings);
  }
  const sentinels = sentinelsOf(url);
  return sentinels
    ? new BatchingRedis({ ...settings, ...sentinels, replyMapping: 'legacy' })
    : new BatchingRedis(url, { ...settings, replyMapping: 'legacy' });
}

/**
 * Finds a connection that is open but dead, as a lost peer leaves it: a ping that stays unanswered forces a reconnect.
 * @returns a function that ends the watch.
 */
export function watchRedis(
  redis: Redis,
  { log, intervalMs = 5_000, timeoutMs = 4_000 }: { log: Logger; intervalMs?: number; timeoutMs?: number },
): () => void {
  let pending = false;
  const check = async () => {
    if (pending || redis.status !== 'ready') return;
    pending = true;
    try {
      // One that is being given up already is not to be given up twice.
      if (!(await answers(redis, timeoutMs)) && !redis.stream.writableEnded) {
        log.warn('redis does not answer, reconnecting', { timeoutMs });
        redis.disconnect(true);
      }
    } finally {
      pending = false;
    }
  };
  const timer = setInterval(() => void check(), intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Whether Redis answers a ping in time; of a cluster, whether the node does that serves our keys. */
export async function answers(redis: Redis, timeoutMs: number): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const heard = afterRunning(timeoutMs, () => late.resolve(false));
  try {
    const asked = redis instanceof SlotRedis ? redis.servesSlot() : redis.ping();
    return await Promise.race([asked.then(() => true), late.promise]);
  } catch {
    return false;
  } finally {
    heard();
  }
}

/** Whether a client finds our keys at whatever node of a cluster has them. */
export function followsCluster(redis: Redis): boolean {
  return redis instanceof SlotRedis;
}

/** Closes a client politely, and at once where Redis does not answer. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'ready' && (await answers(redis, 1_000))) await redis.quit();
  else redis.disconnect();
}
