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

/** As many as keep both sides busy: with few, what is measured is how long a submission waits for its answers. */
const inFlight = 32;

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
        notes: [
          `${count} requests a round, ${inFlight} in submission at once; four worker processes and one that submits, on either side. Each round counts only if all of them were completed.`,
          "bunri's side submits by the function that the api's route calls: look-up of a known answer, record, flow, place in the queue. Without HTTP, admission, rate limit, the upload and its bucket; every photo is new. Log lines of level info are written and thrown away, and metrics are counted.",
          'The raw side adds the same four jobs and hears their ends by the events of the last queue. Among the commands of bunri is one look of the bench at the number of ended requests each 25 ms, but only after all were submitted.',
        ],
      };
    });
  },
};

async function sample(side: Side, redis: Redis, count: number): Promise<Sample> {
  const before = { redis: await readRedisCounters(redis), side: await side.counters() };
  const seconds = (await side.submitter({ ask: 'throughput', count, inFlight })) as number;
  const after = { redis: await readRedisCounters(redis), side: await side.counters() };
  const completed = (await side.submitter({ ask: 'completed' })) as number;
  if (completed !== count) throw new Error(`${side.variant}: only ${completed} of ${count} requests were completed`);
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
