import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Logger } from '@bunri/runtime';

export interface RateLimitState {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the count starts anew. */
  readonly resetS: number;
}

export interface RateLimit {
  /** Counts one request of the key. */
  take(keyId: string): Promise<RateLimitState>;
}

export const rateLimitWindowS = 60;

/**
 * Requests per key and minute, counted in Redis for all API processes at once. While Redis is away each process counts
 * for itself, says so in its log, and goes on limiting.
 */
export function createRateLimit(options: { redis: Redis; prefix: string; perMinute: number; log: Logger }): RateLimit {
  const { redis, log, perMinute: limit } = options;
  const settings = { points: limit, duration: rateLimitWindowS, keyPrefix: `${options.prefix}:rate-limit` };
  const shared = new RateLimiterRedis({ ...settings, storeClient: redis, rejectIfRedisNotReady: true });
  // The library would fall back by itself as its "insurance", but in silence.
  const own = new RateLimiterMemory(settings);
  let isShared = true;

  async function consume(keyId: string): Promise<RateLimiterRes> {
    try {
      const state = await outcome(shared.consume(keyId));
      if (!isShared) log.info('rate limits are counted in Redis again');
      isShared = true;
      return state;
    } catch (error) {
      if (isShared) log.warn('rate limits are counted by each process for itself', { error });
      isShared = false;
      return await outcome(own.consume(keyId));
    }
  }

  return {
    async take(keyId) {
      const state = await consume(keyId);
      return {
        allowed: state.consumedPoints <= limit,
        limit,
        remaining: state.remainingPoints,
        resetS: Math.ceil(state.msBeforeNext / 1000),
      };
    },
  };
}

/** The library rejects with the state itself where the limit is exceeded. */
async function outcome(consumed: Promise<RateLimiterRes>): Promise<RateLimiterRes> {
  try {
    return await consumed;
  } catch (state) {
    if (state instanceof RateLimiterRes) return state;
    throw state;
  }
}
