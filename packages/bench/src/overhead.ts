import type { Redis } from 'ioredis';
import { median, noisePercent, readRedisCounters } from './measure.ts';
import type { Side } from './side.ts';

interface Sample {
  readonly perSecond: number;
  readonly cpuPer1000: number;
  readonly commands: number;
  readonly bytes: number;
}

export interface Row {
  readonly figure: string;
  readonly raw: number;
  readonly bunri: number;
  /** bunri ÷ raw, the median of the ratios of each round. */
  readonly ratio: number;
  readonly noisePercent: number;
}

/** Stages that do nothing: what the runtime adds to raw flows, in throughput, CPU and Redis traffic. */
export async function overhead(
  sides: { raw: Side; bunri: Side },
  redis: Redis,
  { rounds, count }: { rounds: number; count: number },
): Promise<Row[]> {
  const samples: { raw: Sample; bunri: Sample }[] = [];
  for (const side of [sides.raw, sides.bunri]) await side.submitter({ ask: 'throughput', count, inFlight });
  for (let round = 0; round < rounds; round += 1) {
    // Alternating the order keeps a machine that grows slower or faster from favouring a side.
    const order = round % 2 === 0 ? ([sides.raw, sides.bunri] as const) : ([sides.bunri, sides.raw] as const);
    const first = await sample(order[0], redis, count);
    const second = await sample(order[1], redis, count);
    samples.push(round % 2 === 0 ? { raw: first, bunri: second } : { raw: second, bunri: first });
  }
  return [
    row('completed a second', samples, ({ perSecond }) => perSecond),
    row('CPU seconds per 1,000, Redis included', samples, ({ cpuPer1000 }) => cpuPer1000),
    row('Redis commands a request', samples, ({ commands }) => commands),
    row('Redis bytes a request, in and out', samples, ({ bytes }) => bytes),
  ];
}

const inFlight = 4;

async function sample(side: Side, redis: Redis, count: number): Promise<Sample> {
  const before = { redis: await readRedisCounters(redis), cpu: await side.cpuSeconds() };
  const seconds = (await side.submitter({ ask: 'throughput', count, inFlight })) as number;
  const after = { redis: await readRedisCounters(redis), cpu: await side.cpuSeconds() };
  const cpu = after.cpu - before.cpu + after.redis.cpuSeconds - before.redis.cpuSeconds;
  const bytes = after.redis.bytesIn - before.redis.bytesIn + after.redis.bytesOut - before.redis.bytesOut;
  return {
    perSecond: count / seconds,
    cpuPer1000: (cpu / count) * 1000,
    commands: (after.redis.commands - before.redis.commands) / count,
    bytes: bytes / count,
  };
}

function row(figure: string, samples: { raw: Sample; bunri: Sample }[], pick: (sample: Sample) => number): Row {
  const ratios = samples.map(({ raw, bunri }) => pick(bunri) / pick(raw));
  return {
    figure,
    raw: median(samples.map(({ raw }) => pick(raw))),
    bunri: median(samples.map(({ bunri }) => pick(bunri))),
    ratio: median(ratios),
    noisePercent: noisePercent(ratios),
  };
}
