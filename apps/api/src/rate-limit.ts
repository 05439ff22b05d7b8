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
  /** Counts one request of the key, which may have a limit of its own. */
  take(keyId: string, perMinute?: number): Promise<RateLimitState>;
}

export const rateLimitWindowS = 60;
/** For so long a count that Redis gave is good enough to let somebody pass who is far from the limit. */
const freshMs = 1_000;
/** Up to this share of the limit a key is far from it. */
const farShare = 0.5;
/** Keys that have not asked for a window are forgotten. */
const sweepMs = rateLimitWindowS * 1000;

/** What a process knows of a key. */
interface Tally {
  /** As Redis counted last, of all processes. */
  consumed: number;
  /** Requests that passed since, and have not been sent to Redis. */
  unsent: number;
  /** Requests in the count that is on its way, if one is. */
  sending: number;
  countedAt: number;
  windowEndsAt: number;
}

/**
 * Requests per key and minute, counted in Redis for all API processes at once. While Redis is away each process counts
 * for itself, says so in its log, and goes on limiting.
 *
 * A key that was far from its limit a moment ago does not wait for Redis: it passes, and is counted behind it, together
 * with those who come while a count is on its way. From half of the limit on, each request waits for its own count. So a
 * limit is exact but for what all processes let pass within one such second, which would have to be half of the limit.
 */
export function createRateLimit(options: {
  redis: Redis;
  prefix: string;
  perMinute: number;
  log: Logger;
  now?: () => number;
}): RateLimit {
  const { redis, log, perMinute: usual, now = Date.now } = options;
  // The library only counts: limits are each key's own.
  const settings = {
    points: Number.MAX_SAFE_INTEGER,
    duration: rateLimitWindowS,
    keyPrefix: `${options.prefix}:rate-limit`,
  };
  const shared = new RateLimiterRedis({ ...settings, storeClient: redis, rejectIfRedisNotReady: true });
  // The library would fall back by itself as its "insurance", but in silence.
  const own = new RateLimiterMemory(settings);
  const tallies = new Map<string, Tally>();
  let sweptAt = now();
  let isShared = true;

  async function consume(keyId: string, points: number): Promise<RateLimiterRes> {
    try {
      const state = await outcome(shared.consume(keyId, points));
      if (!isShared) log.info('rate limits are counted in Redis again');
      isShared = true;
      remember(keyId, state);
      return state;
    } catch (error) {
      if (isShared) log.warn('rate limits are counted by each process for itself', { error });
      isShared = false;
      tallies.delete(keyId);
      return await outcome(own.consume(keyId, points));
    }
  }

  function remember(keyId: string, { consumedPoints: consumed, msBeforeNext }: RateLimiterRes): void {
    const countedAt = now();
    const told = { consumed, countedAt, windowEndsAt: countedAt + msBeforeNext };
    const tally = tallies.get(keyId);
    if (tally) Object.assign(tally, told);
    else tallies.set(keyId, { ...told, unsent: 0, sending: 0 });
    if (countedAt - sweptAt < sweepMs) return;
    sweptAt = countedAt;
    for (const [key, { windowEndsAt }] of tallies) if (windowEndsAt < countedAt) tallies.delete(key);
  }

  /** Lets a request pass that cannot be near the limit; null where that is not known. */
  function passUncounted(keyId: string, limit: number): RateLimitState | null {
    const tally = tallies.get(keyId);
    const at = now();
    if (!tally || at - tally.countedAt > freshMs || at >= tally.windowEndsAt) return null;
    const consumed = tally.consumed + tally.sending + tally.unsent + 1;
    if (consumed > limit * farShare) return null;
    tally.unsent += 1;
    void send(keyId);
    return { allowed: true, limit, remaining: limit - consumed, resetS: Math.ceil((tally.windowEndsAt - at) / 1000) };
  }

  /** One count at a time is on its way; what comes meanwhile goes with the next. */
  async function send(keyId: string): Promise<void> {
    for (;;) {
      const tally = tallies.get(keyId);
      if (!tally || tally.sending > 0 || tally.unsent === 0) return;
      tally.sending = tally.unsent;
      tally.unsent = 0;
      await consume(keyId, tally.sending);
      tally.sending = 0;
    }
  }

  return {
    async take(keyId, limit = usual) {
      const passed = passUncounted(keyId, limit);
      if (passed) return passed;
      const state = await consume(keyId, 1);
      return {
        allowed: state.consumedPoints <= limit,
        limit,
        remaining: Math.max(0, limit - state.consumedPoints),
        resetS: Math.ceil(state.msBeforeNext / 1000),
      };
    },
  };
}

/** The library rejects with a state where it takes a limit for exceeded. */
async function outcome(consumed: Promise<RateLimiterRes>): Promise<RateLimiterRes> {
  try {
    return await consumed;
  } catch (state) {
    if (state instanceof RateLimiterRes) return state;
    throw state;
  }
}
