import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createKeys } from './keys.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createSpending, type SpendingCaps } from './spending.ts';

const connections: Redis[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) if (connection.status === 'ready') await connection.quit();
});

/** Noon in Seoul. */
const noon = Date.parse('2026-03-01T12:00:00+09:00');
const usage = (cost_usd: number) => ({ input_tokens: 100, output_tokens: 10, cost_usd });

function setUp(caps: SpendingCaps = {}) {
  const prefix = `{t${randomUUID()}}`;
  const redis = new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
  connections.push(redis);
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  const clock = { at: noon };
  const spending = createSpending({ redis, prefix, caps, metrics, log, now: () => clock.at });
  const reserve = async (usd: number, owner = 'ann') => await spending.reserve({ owner, stage: 'vision', usd });
  const statistics = async (day = '2026-03-01') => await redis.hgetall(createKeys(prefix).statistics(day));
  return { spending, reserve, statistics, clock, redis, metrics };
}

const capReached = { name: 'PermanentError', code: 'spending_cap_reached' };

test.each([
  { cap: 'of an owner', caps: { ownerUsd: 1 } },
  { cap: 'of the day', caps: { totalUsd: 1 } },
])('fifty calls at once never pass the cap $cap', async ({ caps }) => {
  const { reserve, spending } = setUp(caps);
  const results = await Promise.allSettled(Array.from({ length: 50 }, async () => await reserve(0.03)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(33);
  expect((await spending.spent('ann')).totalUsd).toBeCloseTo(0.99, 9);
  await expect(reserve(0.03)).rejects.toMatchObject(capReached);
});

test("one owner's cap leaves the others alone, the day's cap stops all, and each refusal says until when", async () => {
  const { reserve, metrics } = setUp({ ownerUsd: 1, totalUsd: 1.5 });
  await reserve(1);
  await expect(reserve(0.1)).rejects.toThrow(/your spending cap[^]*2026-03-01T15:00:00\.000Z/);
  await reserve(0.5, 'bob');
  await expect(reserve(0.1, 'eve')).rejects.toThrow(/this service's spending cap/);
  const refusals = (await metrics.spendingRefusals.get()).values.map(({ labels, value }) => [labels['cap'], value]);
  expect(refusals).toEqual([
    ['owner', 1],
    ['day', 1],
  ]);
});

test('what was paid takes the place of what was expected, once', async () => {
  const { reserve, spending } = setUp({ ownerUsd: 1 });
  const reservation = await reserve(0.9);
  await reservation.settle(usage(0.2));
  await reservation.settle(usage(0.2));
  expect(await spending.spent('ann')).toMatchObject({ ownerUsd: 0.2, totalUsd: 0.2 });
  const dearer = await reserve(0.1);
  await dearer.settle(usage(0.7));
  expect((await spending.spent('ann')).ownerUsd).toBeCloseTo(0.9, 9);
});

test('the expected cost of a call that was killed stays counted', async () => {
  const { reserve, spending } = setUp();
  await reserve(0.25);
  await (await reserve(0.5)).settle();
  expect((await spending.spent('ann')).ownerUsd).toBe(0.75);
});

test('what costs nothing is never refused, and counts nothing', async () => {
  const { reserve, spending } = setUp({ ownerUsd: 1 });
  await reserve(1);
  await (await reserve(0)).settle(usage(0));
  expect((await spending.spent('ann')).ownerUsd).toBe(1);
});

test('a payment is in the statistics of its day, whatever becomes of the answer', async () => {
  const { reserve, statistics, clock } = setUp();
  const reservation = await reserve(0.5);
  expect(await statistics()).toEqual({});
  await reservation.settle(usage(0.25));
  expect(await statistics()).toEqual({
    'tokens:vision:input': '100',
    'tokens:vision:output': '10',
    'nanousd:vision': '250000000',
  });
  const overnight = await reserve(0.5);
  clock.at += 24 * 3600 * 1000;
  await overnight.settle(usage(0.5));
  expect(await statistics('2026-03-02')).toMatchObject({ 'nanousd:vision': '500000000' });
});

test('a new day in Seoul begins with nothing spent', async () => {
  const { reserve, clock, spending } = setUp({ ownerUsd: 1 });
  await reserve(1);
  const { reopensAt } = await spending.spent('ann');
  clock.at = reopensAt - 1;
  await expect(reserve(0.1)).rejects.toMatchObject(capReached);
  clock.at = reopensAt;
  await reserve(0.1);
  expect((await spending.spent('ann')).ownerUsd).toBe(0.1);
});

test('a cap is exhausted when a request like those of today does not fit any more', async () => {
  const { spending, reserve } = setUp({ ownerUsd: 1, totalUsd: 1.5 });
  const exhausted = async (owner: string) => (await spending.spent(owner)).exhausted;
  expect(await exhausted('ann')).toBeNull();
  await spending.reserve({ owner: 'ann', stage: 'llm', usd: 0.01 });
  await reserve(0.2);
  expect(await exhausted('ann')).toBeNull();
  await reserve(0.7);
  // 0.09 is left: enough for llm, not for vision.
  expect(await exhausted('ann')).toBe('owner');
  expect(await exhausted('bob')).toBeNull();
  await reserve(0.5, 'bob');
  expect(await exhausted('eve')).toBe('day');
});

test('a payment that Redis does not take rejects nothing', async () => {
  const { reserve, redis } = setUp();
  const reservation = await reserve(0.5);
  await redis.quit();
  await reservation.settle(usage(0.25));
  await expect(reserve(0.5)).rejects.toMatchObject({ name: 'StoreUnavailable' });
});
