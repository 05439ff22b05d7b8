import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { until } from '@bunri/testkit/until';
import { createLogger } from './log.ts';
import { announceSlots, readSlots } from './stage-slots.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
let redis: Redis;
let prefix: string;
beforeAll(() => {
  redis = new Redis(process.env['REDIS_URL'] ?? '');
});
beforeEach(() => {
  prefix = `{t${randomUUID()}}`;
});
afterEach(async () => {
  await redis.unlink(`${prefix}:slots:vision`);
});
afterAll(async () => {
  await redis.quit();
});

const announce = (slots: number, beatMs = 10_000) =>
  announceSlots({ redis, prefix, stage: 'vision', slots, log, beatMs });
const read = async () => await readSlots(redis, prefix, 'vision');

test('the slots of all live workers add up, and those of one that stops are gone at once', async () => {
  expect(await read()).toEqual({ slots: 0, workers: 0 });
  const first = announce(20);
  const second = announce(5);
  expect(await read()).toEqual({ slots: 25, workers: 2 });
  await first.close();
  expect(await read()).toEqual({ slots: 5, workers: 1 });
  await second.close();
  expect(await read()).toEqual({ slots: 0, workers: 0 });
});

test('a worker that dies counts no more after three beats, and the next beat of another one clears it away', async () => {
  const key = `${prefix}:slots:vision`;
  const lives = announce(3, 20);
  await redis.zadd(key, 1, 'dead:100');
  expect(await read()).toEqual({ slots: 3, workers: 1 });
  await until(async () => (await redis.zcard(key)) === 1);
  await lives.close();
});

test('a worker that goes on living keeps its slots beyond the life of one beat', async () => {
  const lives = announce(3, 150);
  const livesUntil = Date.now() + 4 * 150;
  expect(await read()).toEqual({ slots: 3, workers: 1 });
  await until(async () => Date.now() > livesUntil && (await read()).slots === 3);
  await lives.close();
});

test('a stage whose workers all died leaves nothing behind', async () => {
  const key = `${prefix}:slots:vision`;
  const worker = announce(3, 20);
  const [member = ''] = await redis.zrange(key, 0, '-1');
  await worker.close();
  // As if it had been killed instead of closed.
  await redis.zadd(key, Date.now() + 60, member);
  await redis.pexpire(key, 60);
  await until(async () => (await redis.exists(key)) === 0);
  expect(await read()).toEqual({ slots: 0, workers: 0 });
});

test('while Redis is away, beats do not pile up and closing does not hang', async () => {
  let sent = 0;
  const away = {
    status: 'reconnecting',
    eval: async () => {
      sent += 1;
      return await new Promise<never>(() => undefined);
    },
  } as unknown as Redis;
  const announced = announceSlots({ redis: away, prefix, stage: 'vision', slots: 1, log, beatMs: 5 });
  const beats = Date.now() + 50;
  await until(async () => await Promise.resolve(Date.now() > beats));
  expect(sent).toBe(1);
  await announced.close();
});
