import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { connectProducer, createLogger } from '@bunri/runtime';
import { createRateLimit } from './rate-limit.ts';

const silent = createLogger({ app: 'api', level: 'error', silent: true });

test('all processes count together', async () => {
  const prefix = `{t${randomUUID()}}`;
  const redis = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log: silent });
  await once(redis, 'ready');
  const [one, other] = [1, 2].map(() => createRateLimit({ redis, prefix, perMinute: 3, log: silent }));
  await one?.take('k1');
  await other?.take('k1');
  expect(await one?.take('k1')).toMatchObject({ allowed: true, remaining: 0, limit: 3 });
  expect(await other?.take('k1')).toMatchObject({ allowed: false, remaining: 0 });
  expect(await other?.take('k2')).toMatchObject({ allowed: true, remaining: 2 });
  await redis.unlink(`${prefix}:rate-limit:k1`, `${prefix}:rate-limit:k2`);
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
