import type { Redis } from 'ioredis';
import * as z from 'zod';
import { resultMember } from './image-references.ts';
import { createKeys } from './keys.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { sha256 } from './sha256.ts';

export type ResultCache = ReturnType<typeof createResultCache>;

const entrySchema = z.object({ storedAt: z.int(), value: z.unknown() });

const defaultRetentionMs = 24 * 3600 * 1000;

/**
 * KEYS 1 entry, 2 index, 3 what is made of the picture, if any. ARGV 1 entry, 2 retention ms, 3 time, 4 the negative time
 * up to which the picture's results are forgotten, 5 the negative time, 6 member. Of a picture that is asked about for ever
 * only what may still be reused is remembered.
 */
const keepScript = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], KEYS[1])
if ARGV[6] then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], ARGV[4], 0)
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[6])
  redis.call('PEXPIRE', KEYS[3], ARGV[2], 'NX')
end`;

/** A cache key from everything that decides the result; the order of the parts matters. */
export function cacheKey(parts: readonly unknown[]): string {
  return sha256(JSON.stringify(parts));
}

const spaces = /\s+/g;

/** The same question, typed differently: spaces, case and Unicode form do not decide an answer. */
export function normaliseQuestion(question: string): string {
  return question.normalize('NFC').trim().replaceAll(spaces, ' ').toLowerCase();
}

/**
 * Results of paid work in Redis, by exact key. An entry that does not fit its schema, as an older version may have
 * written it, counts as a miss. The index, ordered by time, is what the hourly clean-up reads.
 */
export function createResultCache(options: {
  redis: Redis;
  prefix: string;
  metrics?: Metrics;
  log?: Logger;
  /** How long a result may be reused, ms. */
  retentionMs?: number;
  now?: () => number;
}) {
  const { redis, prefix, metrics, log, retentionMs = defaultRetentionMs, now = Date.now } = options;
  const keys = createKeys(prefix);
  redis.defineCommand('bunri_keepResult', { lua: keepScript });
  const scripts = redis as unknown as {
    bunri_keepResult(numberOfKeys: number, ...args: (string | number)[]): Promise<null>;
  };

  return {
    async get<Schema extends z.ZodType>(name: string, key: string, schema: Schema): Promise<z.infer<Schema> | null> {
      const text = await redis.get(keys.cache(name, key));
      const entry = text === null ? null : entrySchema.safeParse(JSON.parse(text));
      const value = entry?.success ? schema.safeParse(entry.data.value) : null;
      const hit = value?.success === true;
      metrics?.cacheLookups.inc({ cache: name, result: hit ? 'hit' : 'miss' });
      return hit ? value.data : null;
    },

    /**
     * Never rejects: what is to be kept has been paid for, and goes on into the record whether Redis has room for a copy or
     * not. A copy that was refused is counted and logged. With `image`, the hash of the picture that it was made of, it goes
     * with that picture when a client has it deleted. Need not be waited for: whatever the same client sends afterwards is
     * behind it.
     */
    async set(name: string, key: string, value: unknown, { image }: { image?: string } = {}): Promise<void> {
      const storedAt = now();
      const places = [keys.cache(name, key), keys.cacheIndex, ...(image ? [keys.image(image)] : [])];
      const made = image ? [-(storedAt - retentionMs), -storedAt, resultMember(name, key)] : [];
      const entry = JSON.stringify({ storedAt, value });
      try {
        await scripts.bunri_keepResult(places.length, ...places, entry, retentionMs, storedAt, ...made);
      } catch (error) {
        metrics?.cacheRefusals.inc({ cache: name });
        log?.warn('a result could not be kept for reuse', { cache: name, error });
      }
    },

    /** Removes entries stored at or before `time`, and what Redis itself has already expired. @returns how many. */
    async removeStoredBefore(time: number, batch = 500): Promise<number> {
      let removed = 0;
      for (;;) {
        const old = await redis.zrangebyscore(keys.cacheIndex, '-inf', time, 'LIMIT', 0, batch);
        if (old.length === 0) return removed;
        await redis
          .multi()
          .unlink(...old)
          .zrem(keys.cacheIndex, ...old)
          .exec();
        removed += old.length;
      }
    },
  };
}
