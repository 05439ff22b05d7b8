import type { Redis } from 'ioredis';

/** Server counters since its start, bytes of the network. */
export interface RedisCounters {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export async function readRedisCounters(redis: Redis): Promise<RedisCounters> {
  const info = await redis.info('all');
  const number = (name: string) => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]?.trim() ?? Number.NaN);
  return {
    bytesIn: number('total_net_input_bytes'),
    bytesOut: number('total_net_output_bytes'),
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

/** Of the straight line that fits the points best, by least squares. NaN for fewer than two. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const covariance = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point.x - x) ** 2, 0);
}
