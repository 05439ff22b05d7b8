import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { until } from '@bunri/testkit/until';
import { createAudit } from './audit.ts';
import { createKeys } from './keys.ts';
import { createLogger } from './log.ts';
import { connectProducer } from './redis.ts';

const silent = createLogger({ app: 'test', level: 'error', silent: true });
const prefix = `{t${randomUUID()}}`;
let redis: Redis;
beforeAll(async () => {
  redis = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log: silent });
  await until(() => redis.status === 'ready');
});
afterAll(async () => {
  await redis.unlink(createKeys(prefix).audit);
  redis.disconnect();
});

const entry = { actor: 'k1', action: 'queues.pause', target: 'vision', outcome: 'done' } as const;

test('an action is kept and read back, the newest of them oldest first, and is a line of the log', async () => {
  const lines: unknown[] = [];
  const log = Object.assign(Object.create(silent) as typeof silent, {
    info: (message: string, facts: object) => {
      lines.push({ message, ...facts });
      return silent;
    },
  });
  const audit = createAudit({ redis, prefix, log });
  expect(await audit.record({ ...entry, facts: { keys: 3 } })).toBe(true);
  expect(await audit.record({ ...entry, action: 'queues.resume', target: 'x'.repeat(10_000) })).toBe(true);
  expect(await audit.record({ ...entry, action: 'queues.drain', facts: { text: 'x'.repeat(10_000) } })).toBe(true);
  const [first, second, third] = await audit.read({ limit: 10 });
  expect(first).toEqual({ ...entry, at: expect.any(String), facts: { keys: 3 } });
  expect(second?.target).toHaveLength(500);
  expect(JSON.stringify(third).length).toBeLessThan(3_000);
  expect((await audit.read({ limit: 1 })).map(({ action }) => action)).toEqual(['queues.drain']);
  expect(await audit.read({ limit: 10, sinceMs: Date.now() + 60_000 })).toEqual([]);
  expect(lines[0]).toEqual({ message: 'audit', ...entry, facts: { keys: 3 } });
});

test('an action that cannot be kept does not fail, and its line is in the log with the trouble', async () => {
  const away = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log: silent });
  await until(() => away.status === 'ready');
  away.disconnect();
  expect(await createAudit({ redis: away, prefix, log: silent }).record(entry)).toBe(false);
});
