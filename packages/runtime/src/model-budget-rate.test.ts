import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createKeys } from './keys.ts';
import { createMetrics } from './metrics.ts';
import { createModelBudget, type ModelLimits } from './model-budget.ts';
import { modelRateFields, readModelRate } from './model-budget-rate.ts';

const now = 1_000_000;
interface Fields {
  at?: number;
  pausedUntil?: number;
  requests?: [level: number, limit: number];
  tokens?: [level: number, limit: number, mean?: number];
}

function rateOf({ at, pausedUntil, requests = [] as never, tokens = [] as never }: Fields) {
  const [tokensLevel, tokensLimit, mean] = tokens as Partial<[number, number, number]>;
  const [level, limit] = requests as Partial<[number, number]>;
  const fields = [at, pausedUntil, level, limit, tokensLevel, tokensLimit, mean];
  return readModelRate(
    fields.map((field) => (field === undefined ? null : String(field))),
    now,
  );
}

const cases: [name: string, fields: Fields, waitMs: number, requestsPerMinute: number | undefined][] = [
  ['of which nothing is known admits everything', {}, 0, undefined],
  ['with requests left admits as many as its limit', { at: now, requests: [3, 60] }, 0, 60],
  ['admits as many as the scarcer limit', { at: now, requests: [1, 60], tokens: [1, 30_000, 1_000] }, 0, 30],
  ['whose calls are small is limited by requests', { at: now, requests: [1, 60], tokens: [1, 30_000, 10] }, 0, 60],
  ['of whose calls no size is known is not limited by tokens', { at: now, tokens: [1, 30_000] }, 0, undefined],
  ['that owes waits until that has risen', { at: now - 1_000, requests: [-5, 60] }, 4_000, 60],
  ['that owes both waits for the longer', { at: now, requests: [-1, 60], tokens: [-100, 600, 10] }, 10_000, 60],
  ['has long paid what it owed', { at: now - 60_000, requests: [-5, 60] }, 0, 60],
  ['that is paused waits, without a limit too', { pausedUntil: now + 9_000 }, 9_000, undefined],
  ['pays nothing back in a pause', { at: now - 1_000, pausedUntil: now + 9_000, requests: [-5, 60] }, 14_000, 60],
  ['whose pause is over has risen since', { at: now - 9_000, pausedUntil: now - 2_000, requests: [-5, 60] }, 3_000, 60],
];

test.each(cases)('a model %s', (_name, fields, waitMs, requestsPerMinute) => {
  const rate = rateOf(fields);
  expect(rate.waitMs).toBeCloseTo(waitMs, 6);
  expect(rate.requestsPerMinute).toBe(requestsPerMinute);
});

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

function budgetOf(limits: ModelLimits, model = `primary:${randomUUID()}`) {
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const budget = createModelBudget({ redis, prefix, model, limits, metrics });
  const { signal } = new AbortController();
  const ask = async (tokens = 1) => await budget.admit({ tokens, signal });
  return { ask, model, key: createKeys(prefix).modelBudget(model) };
}

test('the smaller limit and the mean of what calls used are told to those who only look, and no longer than they hold', async () => {
  const budget = budgetOf({ requestsPerMinute: 500, tokensPerMinute: 60_000 });
  const { key } = budget;
  const rate = async () => readModelRate(await redis.hmget(key, ...modelRateFields), Date.now()).requestsPerMinute;
  expect(await rate()).toBeUndefined();
  const calls = [await budget.ask(2_000), await budget.ask(2_000), await budget.ask(2_000)];
  expect(await rate()).toBeCloseTo(30, 6);
  // A failure says nothing of the size of calls.
  await calls[0]?.settle(null, { remainingTokens: 60_000 });
  expect(await rate()).toBeCloseTo(30, 6);
  await calls[1]?.settle(500);
  await calls[2]?.settle(700);
  expect(await rate()).toBeCloseTo(100, 3);
  await (await budget.ask(600)).settle(null, { limitRequests: 20, resetRequestsMs: 1_000 });
  expect(await rate()).toBe(20);
  await budgetOf({}, budget.model).ask();
  expect(await redis.hexists(key, 'tokensLimit')).toBe(0);
  expect(await rate()).toBe(20);
});

test('the mean follows the calls, however many were in flight at once', async () => {
  const budget = budgetOf({ tokensPerMinute: 60_000_000 });
  for (let round = 0; round < 3; round += 1) {
    const calls = await Promise.all(Array.from({ length: 80 }, async () => await budget.ask(4_000)));
    await Promise.all(calls.map(async (call) => await call.settle(1_000)));
    expect(Number(await redis.hget(budget.key, 'tokensMean'))).toBeCloseTo(1_000, 0);
  }
});
