import type { Redis } from 'ioredis';

export interface MemoryGuard {
  /** Whether Redis has room for another request. */
  hasRoom(): Promise<boolean>;
}

/** Above this share of its memory Redis takes no new requests, so that those it has taken keep the room to end. */
const fullShare = 0.85;
const rememberMs = 1_000;

/** Asks Redis once a second at most. A Redis without a limit always has room. */
export function createMemoryGuard({ redis, now }: { redis: Pick<Redis, 'info'>; now: () => number }): MemoryGuard {
  let asked: Promise<boolean> | undefined;
  let askedAt = 0;
  return {
    async hasRoom() {
      if (asked === undefined || now() - askedAt >= rememberMs) {
        askedAt = now();
        asked = redis.info('memory').then(hasRoomLeft);
      }
      try {
        return await asked;
      } catch (error) {
        asked = undefined;
        throw error;
      }
    },
  };
}

function hasRoomLeft(info: string): boolean {
  const bytes = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const limit = bytes('maxmemory');
  return limit === 0 || bytes('used_memory') < limit * fullShare;
}
