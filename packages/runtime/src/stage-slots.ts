import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { StageName } from '@bunri/queue-contracts';
import { createKeys } from './keys.ts';
import type { Logger } from './log.ts';

/** What the live workers of a stage can do at once. */
export interface StageSlots {
  /** Jobs in flight in all workers together, at most. */
  readonly slots: number;
  readonly workers: number;
}

export interface SlotsAnnouncement {
  /** Takes the worker's slots back. Where Redis is away they run out by themselves. */
  close(): Promise<void>;
}

const defaultBeatMs = 10_000;
/** A worker is taken for dead after this many beats without a word. */
const beatsToLive = 3;

/**
 * KEYS 1 slots of the stage. ARGV 1 member, 2 time to live ms. The time is that of Redis: workers' clocks may differ. What
 * is left of dead workers goes with every beat of a live one, and with the key when none is left.
 */
const beatScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;

/** KEYS 1 slots of the stage. Answers the members that live. */
export const liveSlotsScript = `
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. time[1] * 1000 + math.floor(time[2] / 1000), '+inf')`;

/**
 * Tells how many jobs of the stage this process takes at once, at once and every ten seconds until it is closed, so that the
 * api can estimate. What is read next on the same connection has it already.
 * Trouble is logged and does no harm: without slots an estimate is unknown.
 *
 * @param slots jobs in flight in this process, at most
 */
export function announceSlots(options: {
  redis: Redis;
  prefix: string;
  stage: StageName;
  slots: number;
  log: Logger;
  /** Between two beats. Default 10 s. */
  beatMs?: number;
}): SlotsAnnouncement {
  const { redis, prefix, stage, slots, log, beatMs = defaultBeatMs } = options;
  const key = createKeys(prefix).slots(stage);
  const member = `${randomUUID()}:${slots}`;
  let pending = false;

  async function beat(): Promise<void> {
    // While Redis is away a command waits for it: one is enough.
    if (pending) return;
    pending = true;
    try {
      await redis.eval(beatScript, 1, key, member, beatMs * beatsToLive);
    } catch (error) {
      log.warn('the slots of this worker could not be told', { stage, error });
    } finally {
      pending = false;
    }
  }

  const timer = setInterval(() => void beat(), beatMs);
  timer.unref();
  void beat();
  return {
    async close() {
      clearInterval(timer);
      if (redis.status !== 'ready') return;
      // A beat that is still on its way was sent before this, on the same connection.
      await redis.zrem(key, member).catch((error: unknown) => {
        log.warn('the slots of this worker run out by themselves', { stage, error });
      });
    },
  };
}

/** The slots of the stage's live workers, as they announced them. */
export async function readSlots(redis: Redis, prefix: string, stage: StageName): Promise<StageSlots> {
  return sumSlots(await redis.eval(liveSlotsScript, 1, createKeys(prefix).slots(stage)));
}

/** From the reply of `liveSlotsScript`. */
export function sumSlots(reply: unknown): StageSlots {
  const members = Array.isArray(reply) ? reply.map(String) : [];
  const slots = members.reduce((sum, member) => sum + Number(member.slice(member.lastIndexOf(':') + 1)), 0);
  return { slots, workers: members.length };
}
