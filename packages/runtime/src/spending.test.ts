import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createKeys } from './keys.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { DeferredError } from './errors.ts';
import { createSpending, type SpendingCaps, type Reservation } from './spending.ts';

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
  const spending = createSpending({ redis, prefix, caps, metrics, log, now: () => clock.at, random: () => 0.5 });
  const reserve = async (usd: number, owner = 'ann') => await spending.reserve({ owner, stage: 'vision', usd });
  const statistics = async (day = '2026-03-01') => await redis.hgetall(createKeys(prefix).statistics(day));
  return { spending, reserve, statistics, clock, redis, prefix, metrics };
}

const later = { name: 'DeferredError', waitMs: 1_500 };
/** Reserves and pays it. */
const pay = async (reserved: Promise<Reservation>, usd: number) => await (await reserved).settle(usage(usd));
const capReached = { name: 'PermanentError', code: 'spending_cap_reached' };

test.each([
  { cap: 'of an owner', caps: { ownerUsd: 1 } },
  { cap: 'of the day', caps: { totalUsd: 1 } },
])('fifty calls at once never pass the cap $cap', async ({ caps }) => {
  const { reserve, spending } = setUp(caps);
  const results = await Promise.allSettled(Array.from({ length: 50 }, async () => await reserve(0.03)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(33);
  expect((await spending.spent('ann')).totalUsd).toBeCloseTo(0.99, 9);
  await expect(reserve(0.03)).rejects.toMatchObject(later);
});

test("one owner's cap leaves the others alone, the day's cap stops all, and each refusal says until when", async () => {
  const { reserve, metrics } = setUp({ ownerUsd: 1, totalUsd: 1.5 });
  await pay(reserve(1), 1);
  await expect(reserve(0.1)).rejects.toThrow(/your spending cap[^]*2026-03-01T15:00:00\.000Z/);
  await pay(reserve(0.5, 'bob'), 0.5);
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
  await pay(reserve(1), 1);
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
  await pay(spending.reserve({ owner: 'ann', stage: 'llm', usd: 0.01 }), 0.01);
  await pay(reserve(0.2), 0.2);
  expect(await exhausted('ann')).toBeNull();
  const inFlight = await reserve(0.7);
  expect(await exhausted('ann')).toBeNull();
  await inFlight.settle(usage(0.7));
  // 0.09 is left: enough for llm, not for vision.
  expect(await exhausted('ann')).toBe('owner');
  expect(await exhausted('bob')).toBeNull();
  await pay(reserve(0.5, 'bob'), 0.5);
  expect(await exhausted('eve')).toBe('day');
});

test('calls that cost less than they might let others go on under the cap, and never together pass it', async () => {
  const { reserve, spending } = setUp({ totalUsd: 1 });
  let answered = 0;
  let waiting = 100;
  while (waiting > 0) {
    const tried = await Promise.allSettled(Array.from({ length: waiting }, async () => await reserve(0.04)));
    const live = tried.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const refused = tried.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    waiting = refused.filter((reason) => reason instanceof DeferredError).length;
    await Promise.all(live.map(async (each) => await each.settle(usage(0.01))));
    answered += live.length;
  }
  const { totalUsd } = await spending.spent('ann');
  expect(totalUsd).toBeLessThanOrEqual(1);
  // Until the next might pass the cap.
  expect(answered).toBe(97);
  expect(totalUsd).toBeCloseTo(0.97, 9);
});

test.each([
  { cap: 'of an owner', caps: { ownerUsd: 1 } },
  { cap: 'of the day', caps: { totalUsd: 1 } },
])('what calls in flight hold of the cap $cap is waited for, not refused for good', async ({ caps }) => {
  const { reserve } = setUp(caps);
  const held = await reserve(0.9);
  await expect(reserve(0.5)).rejects.toMatchObject(later);
  await expect(reserve(1.1)).rejects.toMatchObject(capReached);
  await held.settle(usage(0.1));
  await pay(reserve(0.5), 0.5);
  await expect(reserve(0.5)).rejects.toMatchObject(capReached);
});

test('a call of which nobody knows what it cost is spent at once, one that was killed within two minutes', async () => {
  const { reserve, clock, spending } = setUp({ ownerUsd: 1 });
  await (await reserve(0.4)).settle();
  await expect(reserve(0.7)).rejects.toMatchObject(capReached);
  await reserve(0.4);
  const waitingFor = async () => (await reserve(0.3).catch((error: unknown) => error)) as Error;
  expect((await waitingFor()).name).toBe('DeferredError');
  clock.at += 50_000;
  expect((await waitingFor()).name).toBe('DeferredError');
  clock.at += 70_000;
  expect((await waitingFor()).name).toBe('PermanentError');
  expect((await spending.spent('ann')).ownerUsd).toBe(0.8);
});

test('nothing of a call that is settled stays behind but its amount', async () => {
  const { reserve, redis, prefix } = setUp();
  await Promise.all([pay(reserve(0.5), 0.25), pay(reserve(0.5, 'bob'), 0.25)]);
  expect(await redis.hkeys(createKeys(prefix).spending('2026-03-01'))).toHaveLength(4);
});

test('a call that is refused as too dear leaves no trace: whoever has spent nothing is not exhausted', async () => {
  const { reserve, spending } = setUp({ ownerUsd: 0.5 });
  await expect(reserve(0.6)).rejects.toMatchObject(capReached);
  expect((await spending.spent('bob')).exhausted).toBeNull();
  await pay(reserve(0.1, 'bob'), 0.1);
  expect((await spending.spent('bob')).exhausted).toBeNull();
});

test('a payment that Redis does not take rejects nothing', async () => {
  const { reserve, redis } = setUp();
  const reservation = await reserve(0.5);
  await redis.quit();
  await reservation.settle(usage(0.25));
  await expect(reserve(0.5)).rejects.toMatchObject({ name: 'StoreUnavailable' });
});
