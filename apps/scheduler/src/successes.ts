import type { Redis } from 'ioredis';
import type { Metrics } from '@bunri/runtime';

export type Successes = ReturnType<typeof createSuccesses>;

/**
 * When each task last succeeded, in Redis: a daily task's freshness must outlive the process that ran it, or every
 * restart would look like a day without statistics.
 */
export function createSuccesses({ redis, prefix, metrics }: { redis: Redis; prefix: string; metrics: Metrics }) {
  const key = `${prefix}:schedule-success`;
  return {
    /** @param at epoch ms. */
    async store(task: string, at: number): Promise<void> {
      await redis.hset(key, task, at);
      metrics.scheduleLastSuccess.set({ task }, at / 1000);
    },

    /** Shows what is stored, whichever process stored it. */
    async show(): Promise<void> {
      const stored = await redis.hgetall(key);
      for (const [task, at] of Object.entries(stored)) metrics.scheduleLastSuccess.set({ task }, Number(at) / 1000);
    },
  };
}
