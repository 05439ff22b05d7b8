import type { Redis } from 'ioredis';
import { readRedisCounters } from '../measure.ts';
import { compare, sideBySide, type Scenario } from '../scenario.ts';
import { withSides, type Side } from '../side.ts';
import { measureSpell, standstillNote, type Spell } from '../spell.ts';

interface Server {
  readonly redis: Redis;
  readonly redisPid: number;
}

interface Sample {
  readonly spell: Spell;
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
    return await withSides(options, async ({ raw, bunri, ...server }) => {
      const pairs = await sideBySide(rounds, {
        baseline: async () => await sample(raw, server, count),
        bunri: async () => await sample(bunri, server, count),
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
          ...standstillNote('rates and CPU', pairs),
        ],
      };
    });
  },
};

async function sample(side: Side, { redis, redisPid }: Server, count: number): Promise<Sample> {
  const before = { redis: await readRedisCounters(redis), commands: await side.commands() };
  const { spell } = await measureSpell(
    [redisPid, ...side.pids],
    async () => await side.submitter({ ask: 'throughput', count, inFlight }),
  );
  const after = { redis: await readRedisCounters(redis), commands: await side.commands() };
  const completed = (await side.submitter({ ask: 'completed' })) as number;
  if (completed !== count) throw new Error(`${side.variant}: only ${completed} of ${count} requests were completed`);
  const bytes = after.redis.bytesIn - before.redis.bytesIn + after.redis.bytesOut - before.redis.bytesOut;
  const [redisCpu = 0, ...others] = spell.cpuSeconds;
  return {
    spell,
    perSecond: count / (spell.ranMs / 1000),
    cpuPer1000: (others.reduce((sum, seconds) => sum + seconds, redisCpu) / count) * 1000,
    redisCpuPer1000: (redisCpu / count) * 1000,
    commands: (after.commands - before.commands) / count,
    bytes: bytes / count,
  };
}
