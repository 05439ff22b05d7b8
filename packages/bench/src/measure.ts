import type { Redis } from 'ioredis';

/** Server counters since its start. Bytes are of the network, CPU in seconds. */
export interface RedisCounters {
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly cpuSeconds: number;
}

export async function readRedisCounters(redis: Redis): Promise<RedisCounters> {
  const info = await redis.info('all');
  const number = (name: string) => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]?.trim() ?? Number.NaN);
  // The server also counts what scripts call; these are only ever sent by clients.
  const sent = ['evalsha', 'eval', 'bzpopmin', 'multi', 'exec', 'xread'];
  const commands = sent.reduce((sum, name) => {
    const calls = new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(info)?.[1];
    return sum + Number(calls ?? 0);
  }, 0);
  return {
    commands,
    bytesIn: number('total_net_input_bytes'),
    bytesOut: number('total_net_output_bytes'),
    cpuSeconds: number('used_cpu_sys') + number('used_cpu_user'),
  };
}

export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The nearest-rank percentile, `p` in 0 to 1. NaN for no values. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

/** Half of the distance between the largest and the smallest value, in percent of the median: the noise of the run. */
export function noisePercent(values: readonly number[]): number {
  return ((Math.max(...values) - Math.min(...values)) / 2 / median(values)) * 100;
}
