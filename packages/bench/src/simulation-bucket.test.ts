import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createKeys, createMetrics, createModelBudget } from '@bunri/runtime';
import { createSimulatedBudget } from './simulation-bucket.ts';

test('the simulated budget has the levels and waits of the one that workers ask', async () => {
  const prefix = `{t${randomUUID()}}`;
  const limits = { requestsPerMinute: 1_200, tokensPerMinute: 600_000 };
  const redis = new Redis(process.env['REDIS_URL'] ?? '');
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const real = createModelBudget({ redis, prefix, model: 'm', limits, metrics });
  const key = createKeys(prefix).modelBudget('m');
  const simulated = createSimulatedBudget(limits);
  const { signal } = new AbortController();
  try {
    let lastAt = 0;
    // Past the burst of either limit: 100 requests, 50,000 tokens.
    for (let n = 0; n < 110; n += 1) {
      const tokens = n % 10 === 0 ? 3_000 : 100;
      await real.admit({ tokens, signal });
      const [at, requests, used] = (await redis.hmget(key, 'at', 'requests', 'tokens')).map(Number);
      lastAt = at ?? 0;
      expect(simulated.admit(lastAt, tokens).admitted).toBe(true);
      const [ownRequests, ownTokens] = simulated.levels();
      expect(ownRequests).toBeCloseTo(requests ?? Number.NaN, 0);
      expect(ownTokens).toBeCloseTo(used ?? Number.NaN, -1);
    }
    // Half a minute's.
    await real.admit({ tokens: 300_000, signal });
    simulated.admit(lastAt, 300_000);
    await expect(real.admit({ tokens: 1, signal })).rejects.toMatchObject({ name: 'RateLimitedError' });
    expect(simulated.admit(lastAt, 1).admitted).toBe(false);
  } finally {
    await redis.unlink(key);
    await redis.quit();
  }
});

test('no minute has more calls than its limit and the burst, and nothing of the limit is lost', () => {
  const budget = createSimulatedBudget({ requestsPerMinute: 600 });
  const calls: number[] = [];
  for (let now = 0; now < 300_000;) {
    const { admitted, waitMs } = budget.admit(now, 0);
    if (admitted) calls.push(now + waitMs);
    else now += waitMs;
  }
  const most = Math.max(...calls.map((from) => calls.filter((at) => at >= from && at < from + 60_000).length));
  // Five seconds of the limit are saved up; the call that a level of zero admits is one more.
  expect(most).toBeLessThanOrEqual(600 + 50 + 1);
  expect(calls.length).toBeGreaterThanOrEqual(5 * 600);
});

test('a call is larger than what is left, and the next pays for it', () => {
  const budget = createSimulatedBudget({ tokensPerMinute: 60_000 });
  expect(budget.admit(0, 20_000)).toEqual({ admitted: true, waitMs: 0 });
  expect(budget.admit(0, 1)).toEqual({ admitted: false, waitMs: 15_000 });
  expect(budget.debtMs(14_500)).toBe(500);
  expect(budget.admit(14_500, 1)).toEqual({ admitted: true, waitMs: 500 });
});

test('without limits everything is admitted', () => {
  expect(createSimulatedBudget({}).admit(0, 1e9)).toEqual({ admitted: true, waitMs: 0 });
});
