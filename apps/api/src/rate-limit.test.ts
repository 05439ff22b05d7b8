import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { connectProducer, createLogger } from '@bunri/runtime';
import { until } from '@bunri/testkit/until';
import { createRateLimit } from './rate-limit.ts';

const silent = createLogger({ app: 'api', level: 'error', silent: true });

test('all processes count together', async () => {
  const prefix = `{t${randomUUID()}}`;
  const redis = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log: silent });
  await until(() => redis.status === 'ready');
  const [one, other] = [1, 2].map(() => createRateLimit({ redis, prefix, perMinute: 3, log: silent }));
  await one?.take('k1');
  await other?.take('k1');
  expect(await one?.take('k1')).toMatchObject({ allowed: true, remaining: 0, limit: 3 });
  expect(await other?.take('k1')).toMatchObject({ allowed: false, remaining: 0 });
  expect(await other?.take('k2')).toMatchObject({ allowed: true, remaining: 2 });
  await redis.unlink(`${prefix}:rate-limit:k1`, `${prefix}:rate-limit:k2`);
  redis.disconnect();
});

test('far from the limit nobody waits for Redis, and all are counted; from half of it on everybody does', async () => {
  const prefix = `{t${randomUUID()}}`;
  const redis = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log: silent });
  await until(() => redis.status === 'ready');
  const [one, other] = [1, 2].map(() => createRateLimit({ redis, prefix, perMinute: 20, log: silent }));
  await one?.take('k1');
  // Commands are answered in order: who waits for Redis comes after the ping.
  const order: string[] = [];
  const ping = redis.ping().then(() => order.push('redis'));
  const passed = await Promise.all(
    Array.from({ length: 9 }, async () => {
      const state = await one?.take('k1');
      order.push('passed');
      return state;
    }),
  );
  await ping;
  expect(order).toEqual([...passed.map(() => 'passed'), 'redis']);
  expect(passed.map((state) => state?.remaining)).toEqual([18, 17, 16, 15, 14, 13, 12, 11, 10]);
  expect(await one?.take('k1')).toMatchObject({ allowed: true });
  const rest = await Promise.all(Array.from({ length: 10 }, async () => await other?.take('k1')));
  expect(rest.filter((state) => state?.allowed)).toHaveLength(9);
  await redis.unlink(`${prefix}:rate-limit:k1`);
  redis.disconnect();
});

test('what was counted more than a second ago lets nobody pass', async () => {
  const prefix = `{t${randomUUID()}}`;
  const redis = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log: silent });
  await until(() => redis.status === 'ready');
  let clock = Date.now();
  const [one, other] = [1, 2].map(() =>
    createRateLimit({ redis, prefix, perMinute: 4, log: silent, now: () => clock }),
  );
  await one?.take('k1');
  for (let n = 0; n < 3; n += 1) await other?.take('k1');
  clock += 1_001;
  expect(await one?.take('k1')).toMatchObject({ allowed: false });
  await redis.unlink(`${prefix}:rate-limit:k1`);
  redis.disconnect();
});

test('a key with a limit of its own has that one, in each process and far from it', async () => {
  const prefix = `{t${randomUUID()}}`;
  const redis = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log: silent });
  await until(() => redis.status === 'ready');
  const [one, other] = [1, 2].map(() => createRateLimit({ redis, prefix, perMinute: 2, log: silent }));
  expect(await one?.take('k1', 10)).toMatchObject({ allowed: true, limit: 10, remaining: 9 });
  for (let n = 0; n < 8; n += 1) await one?.take('k1', 10);
  expect(await other?.take('k1', 10)).toMatchObject({ allowed: true, remaining: 0 });
  expect(await other?.take('k1', 10)).toMatchObject({ allowed: false, limit: 10, remaining: 0 });
  // The limit was raised meanwhile: what was counted stays counted.
  expect(await other?.take('k1', 20)).toMatchObject({ allowed: true, remaining: 8 });
  await redis.unlink(`${prefix}:rate-limit:k1`);
  redis.disconnect();
});

test('without Redis each process limits by itself, and says so once', async () => {
  const redis = connectProducer({ url: 'redis://127.0.0.1:1', name: 'test', log: silent });
  const told: string[] = [];
  const log = Object.assign(Object.create(silent) as typeof silent, {
    warn: (message: string) => {
      told.push(message);
      return silent;
    },
  });
  const rateLimit = createRateLimit({ redis, prefix: '{t}', perMinute: 1, log });
  expect(await rateLimit.take('k1')).toMatchObject({ allowed: true });
  expect(await rateLimit.take('k1')).toMatchObject({ allowed: false });
  expect(told).toEqual(['rate limits are counted by each process for itself']);
  redis.disconnect();
});
