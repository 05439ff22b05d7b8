import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dayInSeoul } from '@bunri/runtime';
import { openWorld, sampleRequest, type World } from './fixture.ts';
import { createRedisGauges } from './redis-gauges.ts';
import { createEventStreamGauges, createOutboxGauges, createSpendingGauges } from './store-gauges.ts';

let world: World;
beforeEach(() => {
  world = openWorld(process.env);
});
afterEach(async () => await world.close());

async function valuesOf(name: string): Promise<Record<string, number>> {
  const values = (await world.metrics.registry.getSingleMetric(`bunri_${name}`)?.get())?.values ?? [];
  return Object.fromEntries(values.map(({ labels, value }) => [Object.values(labels).join(' '), value]));
}

test('the day is told with its ten dearest owners, and with none of yesterday', async () => {
  const { redis, records, metrics } = world;
  let at = Date.now();
  const refresh = createSpendingGauges({ redis, keys: records.keys, metrics, now: () => at });
  const fields = Array.from({ length: 12 }, (_, i) => [`owner:o${i}`, String((i + 1) * 1e9)]).flat();
  await redis.hset(records.keys.spending(dayInSeoul(at)), 'total', 78e9, 'pending:1', 1, 'least:llm', 1, ...fields);
  await refresh();
  expect(await valuesOf('spending_today_usd')).toEqual({ '': 78 });
  expect(await valuesOf('owners_today')).toEqual({ '': 12 });
  const shown = await valuesOf('owner_spending_today_usd');
  expect(Object.keys(shown)).toHaveLength(10);
  expect(shown).toMatchObject({ o11: 12, o2: 3 });
  at += 24 * 3600_000;
  await refresh();
  expect(await valuesOf('owner_spending_today_usd')).toEqual({});
  expect(await valuesOf('spending_today_usd')).toEqual({ '': 0 });
});

test('the memory of event streams grows with the requests that have one', async () => {
  const { redis, records, metrics } = world;
  const refresh = createEventStreamGauges({ redis, keys: records.keys, metrics });
  await refresh();
  expect(await valuesOf('event_stream_bytes')).toEqual({ open: 0, finished: 0 });
  for (let n = 0; n < 40; n += 1) await records.accept(sampleRequest());
  await refresh();
  const { open = 0, finished } = await valuesOf('event_stream_bytes');
  expect(open).toBeGreaterThan(40 * 100);
  expect(open).toBeLessThan(40 * 20_000);
  expect(finished).toBe(0);
});

test('an outbox that nobody empties is told with its size and its age, also of what nobody can read', async () => {
  const { redis, records, metrics } = world;
  const { keys } = records;
  let at = Date.now();
  const refresh = createOutboxGauges({ redis, keys, metrics, now: () => at });
  expect(await valuesOf('webhook_outbox_events')).toEqual({});
  await refresh();
  const values = async () => [await valuesOf('webhook_outbox_events'), await valuesOf('webhook_outbox_oldest_seconds')];
  expect(await values()).toEqual([{ '': 0 }, { '': 0 }]);
  for (const age of [5_000, 130_000]) await redis.zadd(keys.outbox, at - age, `classification.failed req_${age} 3`);
  await refresh();
  expect(await values()).toEqual([{ '': 2 }, { '': 130 }]);
  await redis.zadd(keys.outbox, at + 60_000, 'picnic.ended picnic_1 1');
  await redis.zadd(keys.outboxPostponed, at - 3_600_000, 'picnic.ended picnic_1 1');
  await refresh();
  expect(await values()).toEqual([{ '': 3 }, { '': 3_600 }]);
  // A clock that is behind tells of no time to come.
  at -= 5 * 3_600_000;
  await refresh();
  expect(await valuesOf('webhook_outbox_oldest_seconds')).toEqual({ '': 0 });
});

test('what Redis says of itself is exported, and nothing of it before it was asked', async () => {
  const { redis, metrics } = world;
  expect(await valuesOf('redis_memory_used_bytes')).toEqual({});
  expect(await valuesOf('redis_commands_total')).toEqual({});
  await createRedisGauges({ redis, metrics })();
  const memory = (await valuesOf('redis_memory_used_bytes'))[''] ?? 0;
  expect(memory).toBeGreaterThan(100_000);
  for (const name of ['redis_commands_total', 'redis_command_seconds_total', 'redis_clients', 'redis_uptime_seconds'])
    expect([name, ((await valuesOf(name))[''] ?? 0) > 0]).toEqual([name, true]);
  expect(await valuesOf('redis_persistence_ok')).toEqual({ '': 1 });
});

test('a Redis that may evict keys, or cannot write its file, is seen', async () => {
  const said = 'used_memory:1\r\nmaxmemory_policy:allkeys-lru\r\naof_last_write_status:err\r\ndb0:keys=7,expires=1\r\n';
  const redis = { ping: async () => await Promise.resolve('PONG'), info: async () => await Promise.resolve(said) };
  await createRedisGauges({ redis: redis as never, metrics: world.metrics })();
  expect(await valuesOf('redis_noeviction')).toEqual({ '': 0 });
  expect(await valuesOf('redis_persistence_ok')).toEqual({ '': 0 });
  expect(await valuesOf('redis_keys')).toEqual({ '': 7 });
});
