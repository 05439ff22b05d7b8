import type { Redis } from 'ioredis';

/** Bytes that Redis's allocator has given out, overhead of keys and tables included. */
export async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1] ?? Number.NaN);
}

/** Where the bytes of some requests are, the mean of each kind. */
export async function bytesOfKeys(redis: Redis, keys: readonly string[]): Promise<number> {
  const each = await Promise.all(keys.map(async (key) => (await redis.memory('USAGE', key, 'SAMPLES', 0)) ?? 0));
  return each.reduce((sum, bytes) => sum + bytes, 0) / keys.length;
}

/** How many requests fit into `memoryBytes` of Redis filled to `share`, and for how long at a rate. */
export function capacity(memoryBytes: number, share: number, bytesPerRequest: number) {
  const requests = Math.floor((memoryBytes * share) / bytesPerRequest);
  return { requests, hoursAt: (requestsPerHour: number) => requests / requestsPerHour };
}
