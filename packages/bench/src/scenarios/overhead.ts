import type { Redis } from 'ioredis';
import { readRedisCounters } from '../measure.ts';
import { compare, sideBySide, type Scenario } from '../scenario.ts';
import { withSides, type Side } from '../side.ts';

interface Sample {
  readonly perSecond: number;
  readonly cpuPer1000: number;
  readonly redisCpuPer1000: number;
  readonly commands: number;
  readonly bytes: number;
}

const inFlight = 4;

/** Stages that do nothing: what the runtime adds to raw flows, in throughput, CPU and Redis traffic. */
export const overhead: Scenario = {
  name: 'overhead',
  summary: 'four stages that do nothing, as fast as they go, beside raw BullMQ flows',
  async run(options) {
    const { rounds, count = 2_000 } = options;
    return await withSides(options, async ({ raw, bunri, redis }) => {
      const pairs = await sideBySide(rounds, {
        baseline: async () => await sample(raw, redis, count),
        bunri: async () => await sample(bunri, redis, count),
      });
      return {
        figures: [
          compare('completed a second', pairs, ({ perSecond }) => perSecond, { atLeast: 0.7 }),
          compare('CPU seconds per 1,000, Redis included', pairs, ({ cpuPer1000 }) => cpuPer1000, { atMost: 1.5 }),
          compare('CPU seconds per 1,000, of Redis alone', pairs, ({ redisCpuPer1000 }) => redisCpuPer1000),
          compare('Redis commands a request', pairs, ({ commands }) => commands, { atMost: 1.5 }),
          compare('Redis bytes a request, in and out', pairs, ({ bytes }) => bytes, { atMost: 1.5 }),
        ],
      };
    });
  },
};

async function sample(side: Side, redis: Redis, count: number): Promise<Sample> {
  const before = { redis: await readRedisCounters(redis), side: await side.counters() };
  const seconds = (await side.submitter({ ask: 'throughput', count, inFlight })) as number;
  const after = { redis: await readRedisCounters(redis), side: await side.counters() };
  const cpu = after.side.cpuSeconds - before.side.cpuSeconds + after.redis.cpuSeconds - before.redis.cpuSeconds;
  const bytes = after.redis.bytesIn - before.redis.bytesIn + after.redis.bytesOut - before.redis.bytesOut;
  return {
    perSecond: count / seconds,
    cpuPer1000: (cpu / count) * 1000,
    redisCpuPer1000: ((after.redis.cpuSeconds - before.redis.cpuSeconds) / count) * 1000,
    commands: (after.side.commands - before.side.commands) / count,
    bytes: bytes / count,
  };
}
