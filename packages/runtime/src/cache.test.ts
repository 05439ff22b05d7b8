import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { cacheKey, createResultCache, normaliseQuestion } from './cache.ts';
import { createKeys } from './keys.ts';
import { createMetrics } from './metrics.ts';

const prefix = `{t${randomUUID()}}`;
let redis: Redis;
beforeAll(() => {
  redis = new Redis(process.env['REDIS_URL'] ?? '');
});
afterAll(async () => {
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.unlink(...keys);
  await redis.quit();
});

const schema = z.object({ n: z.number() });

test('a value comes back until it is removed, and look-ups are counted', async () => {
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const cache = createResultCache({ redis, prefix, metrics });
  expect(await cache.get('vision', 'k', schema)).toBeNull();
  await cache.set('vision', 'k', { n: 1 });
  expect(await cache.get('vision', 'k', schema)).toEqual({ n: 1 });
  const counted = await metrics.cacheLookups.get();
  expect(counted.values.map(({ labels, value }) => [labels.result, value])).toEqual([
    ['miss', 1],
    ['hit', 1],
  ]);
});

test('a result that Redis refuses to keep is counted, and fails nothing', async () => {
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const own = `{t${randomUUID()}}`;
  await redis.set(createKeys(own).cacheIndex, 'not an index');
  await createResultCache({ redis, prefix: own, metrics }).set('vision', 'k', { n: 1 });
  expect((await metrics.cacheRefusals.get()).values).toEqual([{ labels: { cache: 'vision' }, value: 1 }]);
  await redis.unlink(createKeys(own).cacheIndex, createKeys(own).cache('vision', 'k'));
});

test('an entry of another shape counts as a miss', async () => {
  const cache = createResultCache({ redis, prefix });
  await cache.set('vision', 'old', { n: 'one' });
  expect(await cache.get('vision', 'old', schema)).toBeNull();
});

test('the clean-up removes what was stored by the given time, and nothing later', async () => {
  let now = 1_000;
  const cache = createResultCache({ redis, prefix: `{t${randomUUID()}}`, now: () => now });
  for (const key of ['a', 'b', 'c']) await cache.set('vision', key, { n: 1 });
  now = 5_000;
  await cache.set('vision', 'late', { n: 2 });
  expect(await cache.removeStoredBefore(4_999, 2)).toBe(3);
  expect(await cache.get('vision', 'a', schema)).toBeNull();
  expect(await cache.get('vision', 'late', schema)).toEqual({ n: 2 });
  expect(await cache.removeStoredBefore(5_000)).toBe(1);
});

test('a question typed differently is the same question', () => {
  expect(normaliseQuestion('  How  do I\nthrow THIS away? ')).toBe('how do i throw this away?');
  expect(normaliseQuestion('라벨'.normalize('NFD'))).toBe('라벨');
});

test('the order and the borders of the parts of a key matter', () => {
  const keys = [['a', 'b'], ['b', 'a'], ['ab'], ['a', ['b']]].map(cacheKey);
  expect(new Set(keys).size).toBe(4);
});
