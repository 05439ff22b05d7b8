import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { z } from 'zod';
import { failure } from '@bunri/queue-contracts';
import { createResultCache } from '@bunri/runtime';
import { openWorld, sampleRequest, sampleRun, type World } from '../fixture.ts';
import { cleanCaches } from './clean-caches.ts';

const dayMs = 24 * 3600 * 1000;

let world: World;
beforeEach(() => {
  world = openWorld(process.env);
});
afterEach(async () => await world.close());

const cacheRetentionMs = 5 * 3600 * 1000;
const deadLetterRetentionMs = 9 * 3600 * 1000;
const recordRetentionMs = 3 * 3600 * 1000;

function clean(atMs: number) {
  const { redis, prefix, records, metrics } = world;
  const cache = createResultCache({ redis, prefix });
  const retention = { cacheRetentionMs, recordRetentionMs, deadLetterRetentionMs };
  return { cache, task: cleanCaches({ records, cache, metrics, ...retention, now: () => Date.now() + atMs }) };
}

test('cache entries go after their retention, and not before', async () => {
  const { cache, task } = clean(cacheRetentionMs - 60_000);
  await cache.set('vision', 'key', 'result');
  expect(await task(sampleRun())).toMatchObject({ cache_entries: 0 });
  expect(await cache.get('vision', 'key', z.string())).toBe('result');
  expect(await clean(cacheRetentionMs + 60_000).task(sampleRun())).toMatchObject({ cache_entries: 1 });
  expect(await cache.get('vision', 'key', z.string())).toBeNull();
});

test('a finished request goes with every index entry after its retention, and an open one stays', async () => {
  const { records } = world;
  const [finished, open] = [sampleRequest(), sampleRequest()];
  for (const request of [finished, open]) await records.accept(request);
  await records.cancel(finished.id);

  expect(await clean(recordRetentionMs - 60_000).task(sampleRun())).toMatchObject({ records: 0 });
  expect(await clean(recordRetentionMs + 60_000).task(sampleRun())).toMatchObject({ records: 1 });
  expect(await records.get(finished.id)).toBeNull();
  expect(await records.events(finished.id, 0)).toEqual([]);
  expect(await records.get(open.id)).not.toBeNull();
  expect(await records.listIds('test', Date.now() + dayMs, 10)).toEqual([open.id]);
});

test('a dead letter outlives the finished requests and goes after its own retention', async () => {
  const { records } = world;
  const [left, retried] = [sampleRequest(), sampleRequest()];
  for (const { id, ...request } of [left, retried]) {
    await records.accept({ id, ...request });
    await records.fail(id, failure('model_unavailable', 'Away.'));
  }
  expect(await clean(recordRetentionMs + 60_000).task(sampleRun())).toMatchObject({ records: 0, dead_letters: 0 });
  const record = await records.get(retried.id);
  if (record) await records.reopen(record, { from: 'failed' });
  expect(await clean(deadLetterRetentionMs + 60_000).task(sampleRun())).toMatchObject({ dead_letters: 1 });
  expect(await records.get(left.id)).toBeNull();
  expect(await records.get(retried.id)).toMatchObject({ status: 'queued' });
});

test('what Redis has expired by itself leaves no entry behind', async () => {
  const { records, redis } = world;
  const request = sampleRequest({ owner: 'owner:with:colons' });
  await records.accept(request);
  await records.cancel(request.id);
  await redis.del(records.keys.record(request.id), records.keys.events(request.id));

  const { task } = clean(deadLetterRetentionMs + dayMs + 60_000);
  expect(await task(sampleRun())).toMatchObject({ records: 1, owner_entries: 1 });
  expect(await redis.exists(records.keys.finished, records.keys.owner('owner:with:colons'))).toBe(0);
});

test('more requests than one batch are all removed', async () => {
  const { records, redis } = world;
  const old = Array.from({ length: 1_100 }, (_, i) => [i, `req_${i}`] as const).flat();
  await redis.zadd(records.keys.finished, ...old);
  expect(await clean(0).task(sampleRun())).toMatchObject({ records: 1_100 });
  expect(await redis.zcard(records.keys.finished)).toBe(0);
});
