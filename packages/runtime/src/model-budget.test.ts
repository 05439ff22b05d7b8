import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { RateLimitedError } from './errors.ts';
import { createMetrics } from './metrics.ts';
import { createModelBudget, type ModelLimits } from './model-budget.ts';
import { StoreUnavailable } from './patient-records.ts';

const prefix = `{t${randomUUID()}}`;
/** Two connections, as of two processes. */
let connections: [Redis, Redis];
beforeAll(() => {
  const url = process.env['REDIS_URL'] ?? '';
  connections = [new Redis(url), new Redis(url)];
});
afterAll(async () => {
  const keys = await connections[0].keys(`${prefix}*`);
  if (keys.length > 0) await connections[0].unlink(...keys);
  await Promise.all(connections.map(async (redis) => await redis.quit()));
});

const { signal } = new AbortController();

/** A budget in one of the two processes; without `model` one of its own. */
function budgetOf(limits: ModelLimits, { model = `openai/${randomUUID()}`, process = 0, clockOffMs = 0 } = {}) {
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const redis = connections[process] ?? connections[0];
  const now = () => Date.now() + clockOffMs;
  const budget = createModelBudget({ redis, prefix, model, limits, metrics, now });
  const admit = async (tokens = 1) => await budget.admit({ tokens, signal });
  return {
    ...budget,
    model,
    metrics,
    redis,
    key: `${prefix}:model-budget:${model}`,
    ask: admit,
    /** What is left, told by a call of this size that is admitted at once or after its wait. */
    async left(unit: 'requests' | 'tokens', size = 1) {
      await admit(size);
      const { values } = await metrics.modelBudgetLevel.get();
      return values.find(({ labels }) => labels.unit === unit)?.value ?? Number.NaN;
    },
    /** The wait that a refused call is told, ms; 0 for one that is admitted. */
    async refusedFor(tokens = 1) {
      try {
        await admit(tokens);
        return 0;
      } catch (error) {
        if (error instanceof RateLimitedError) return error.retryAfterMs;
        throw error;
      }
    },
  };
}

/** By how much the level is less than this, or more than it can have risen to at a limit a minute since the time given. */
function offBy(level: number, least: number, risen: { limit: number; since: number }): number {
  const most = least + (risen.limit / 60_000) * (performance.now() - risen.since) + 0.01;
  return Math.min(0, level - least + 0.01) + Math.max(0, level - most);
}

/** Calls until one is told to wait for longer than is waited in place; how many went, at most. */
async function drain(budget: ReturnType<typeof budgetOf>): Promise<number> {
  for (let calls = 0; ; calls += 1) if ((await budget.refusedFor()) > 0) return calls;
}

test('two processes together never make more calls than the burst and what has risen since', async () => {
  const first = budgetOf({ requestsPerMinute: 1_200 });
  const second = budgetOf({ requestsPerMinute: 1_200 }, { model: first.model, process: 1 });
  const startedAt = performance.now();
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const waitMs = await (index % 2 === 0 ? first : second).refusedFor();
      return { waitMs, afterMs: performance.now() - startedAt };
    }),
  );
  const admitted = outcomes.filter(({ waitMs }) => waitMs === 0).map(({ afterMs }) => afterMs);
  const perMs = 1_200 / 60_000;
  for (const [index, afterMs] of admitted.toSorted((a, b) => a - b).entries()) {
    // The burst of 5 s is 100 calls, and one more goes at a level of zero.
    expect(index + 1).toBeLessThanOrEqual(101 + perMs * afterMs);
  }
  // A second's worth has waited in place, each for its own turn; the others were told to come back, having taken nothing.
  expect(admitted.length).toBeGreaterThanOrEqual(120);
  const refused = outcomes.filter(({ waitMs }) => waitMs > 0).map(({ waitMs }) => waitMs);
  expect(Math.min(...refused)).toBeGreaterThan(1_000);
  expect(Math.max(...refused)).toBeLessThan(1_100);
  const texts = await Promise.all([first, second].map(async ({ metrics }) => await metrics.registry.metrics()));
  const waited = texts.map((text) => Number(/bunri_model_budget_wait_seconds_count\{.*\} (\d+)/.exec(text)?.[1] ?? 0));
  expect((waited[0] ?? 0) + (waited[1] ?? 0)).toBeGreaterThanOrEqual(19);
});

test('a wrong clock of a process changes nothing', async () => {
  const late = budgetOf({ requestsPerMinute: 12 }, { clockOffMs: -300_000 });
  const early = budgetOf({ requestsPerMinute: 12 }, { model: late.model, process: 1, clockOffMs: 300_000 });
  expect(await drain(late)).toBe(2);
  for (const budget of [early, late, early]) {
    const waitMs = await budget.refusedFor();
    expect(waitMs).toBeGreaterThan(4_500);
    expect(waitMs).toBeLessThanOrEqual(5_000);
  }
});

test('requests and tokens are limited each for themselves', async () => {
  const budget = budgetOf({ requestsPerMinute: 60_000, tokensPerMinute: 600 });
  await budget.ask(200);
  const waitMs = await budget.refusedFor(1);
  expect(waitMs).toBeGreaterThan(14_000);
  expect(waitMs).toBeLessThanOrEqual(15_000);
});

test('a call that is larger than the burst is admitted in its turn, and owes at most a minute', async () => {
  const budget = budgetOf({ tokensPerMinute: 600 });
  await budget.ask(1_000_000);
  const waitMs = await budget.refusedFor(1);
  expect(waitMs).toBeGreaterThan(59_000);
  expect(waitMs).toBeLessThanOrEqual(60_000);
});

test('what a call used beyond its estimate is charged, what it did not use comes back, what is unknown stays', async () => {
  const budget = budgetOf({ tokensPerMinute: 600 });
  const risen = { limit: 600, since: performance.now() };
  await (await budget.ask(10)).settle(30);
  expect(offBy(await budget.left('tokens', 0), 20, risen)).toBe(0);
  const call = await budget.ask(20);
  await call.settle(5);
  await call.settle(0);
  expect(offBy(await budget.left('tokens', 0), 15, risen)).toBe(0);
  await (await budget.ask(10)).settle(null);
  expect(offBy(await budget.left('tokens', 0), 5, risen)).toBe(0);
});

test('what the provider says remains can only lower the budget', async () => {
  const budget = budgetOf({ requestsPerMinute: 60 });
  const risen = { limit: 60, since: performance.now() };
  await (await budget.ask()).settle(null, { remainingRequests: 60 });
  expect(offBy(await budget.left('requests'), 3, risen)).toBe(0);
  await (await budget.ask()).settle(null, { remainingRequests: 1 });
  // One call remains: it goes, and the next waits until there is another.
  expect(offBy(await budget.left('requests'), -1, risen)).toBe(0);
});

test('calls that were admitted after this one are taken off what the provider says remains', async () => {
  const budget = budgetOf({ requestsPerMinute: 60, tokensPerMinute: 6_000 });
  const risen = { limit: 6_000, since: performance.now() };
  const call = await budget.ask(10);
  for (let others = 0; others < 3; others += 1) await budget.ask(40);
  await call.settle(10, { remainingTokens: 250 });
  // Of 250 the three have 120, and one more of its size is kept back.
  expect(offBy(await budget.left('tokens', 0), 120, risen)).toBe(0);
});

test('a limit that the provider tells is adopted where none is configured, for all processes, and believed when it rises', async () => {
  const budget = budgetOf({});
  const other = budgetOf({}, { model: budget.model, process: 1 });
  const call = await budget.ask();
  const later = await budget.ask();
  expect(await budget.redis.exists(budget.key)).toBe(0);
  await call.settle(null, { limitRequests: 12, remainingRequests: 11, resetRequestsMs: 5_000 });
  expect(await drain(other)).toBe(2);
  await later.settle(null, { limitRequests: 60_000 });
  expect(await other.refusedFor()).toBe(0);
});

test('a told limit lowers a configured one, and never raises it', async () => {
  const budget = budgetOf({ requestsPerMinute: 24 });
  await (await budget.ask()).settle(null, { limitRequests: 60_000 });
  // Of a burst of two and one, one is used.
  expect(await drain(budget)).toBe(2);
  const lowered = budgetOf({ requestsPerMinute: 60_000 });
  await (await lowered.ask()).settle(null, { limitRequests: 12 });
  expect(await drain(lowered)).toBe(2);
});

test('a limit of a day is not taken for one of a minute', async () => {
  const budget = budgetOf({});
  await (await budget.ask()).settle(null, { limitRequests: 12, resetRequestsMs: 10_000 });
  await (await budget.ask()).settle(null, { limitRequests: 12, resetRequestsMs: 7_200_000 });
  for (let calls = 0; calls < 20; calls += 1) expect(await budget.refusedFor()).toBe(0);
});

test('a pause holds for all processes, and the longest wins', async () => {
  const first = budgetOf({ requestsPerMinute: 600 });
  const second = budgetOf({ requestsPerMinute: 600 }, { model: first.model, process: 1 });
  await first.pause(60_000);
  await second.pause(200);
  for (const budget of [first, second]) {
    const waitMs = await budget.refusedFor();
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThanOrEqual(60_000);
  }
  expect((await second.metrics.modelBudgetRefusals.get()).values).toMatchObject([{ labels: { reason: 'paused' } }]);
});

test('nothing is saved up in a pause: after it calls go one by one', async () => {
  const budget = budgetOf({ requestsPerMinute: 600 });
  const since = performance.now();
  await budget.pause(300);
  await budget.ask();
  const endedAt = since + 300;
  expect(performance.now()).toBeGreaterThanOrEqual(endedAt);
  expect(offBy(await budget.left('requests'), -2, { limit: 600, since: endedAt })).toBe(0);
});

test('a model without limits is paused too, and waits a short pause out in place', async () => {
  const first = budgetOf({});
  const second = budgetOf({}, { model: first.model, process: 1 });
  await first.pause(5_000);
  expect(await second.refusedFor()).toBeGreaterThan(4_000);
  const brief = budgetOf({});
  await brief.pause(150);
  const startedAt = performance.now();
  await brief.ask();
  expect(performance.now() - startedAt).toBeGreaterThan(100);
});

test('who is aborted while waiting gives back what it took, and ends with the reason', async () => {
  // After the burst of five and one more, the next waits for a second.
  const budget = budgetOf({ requestsPerMinute: 60, tokensPerMinute: 600 });
  await Promise.all(Array.from({ length: 6 }, async () => await budget.ask(1)));
  const tokens = await budget.left('tokens', 0);
  const controller = new AbortController();
  const reason = new Error('the request was canceled');
  const waiting = budget.admit({ tokens: 20, signal: controller.signal });
  setImmediate(() => controller.abort(reason));
  await expect(waiting).rejects.toBe(reason);
  expect(await budget.left('requests', 0)).toBeGreaterThanOrEqual(-2.01);
  expect(await budget.left('tokens', 0)).toBeGreaterThanOrEqual(tokens);
});

test('a call that is not made gives all back, once, and counts as settled', async () => {
  const limit = 1_200;
  const budget = budgetOf({ requestsPerMinute: limit, tokensPerMinute: 120_000 });
  const before = await budget.left('tokens');
  const since = performance.now();
  const call = await budget.ask(5_000);
  await call.giveBack();
  await call.giveBack();
  await call.settle(7_000);
  const after = await budget.left('tokens');
  expect(offBy(after, before - 1, { limit: 120_000, since })).toBeCloseTo(0);
});

test('a signal that is aborted already takes nothing', async () => {
  const budget = budgetOf({ requestsPerMinute: 60 });
  const reason = new Error('too late');
  await expect(budget.admit({ tokens: 1, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(await budget.redis.exists(budget.key)).toBe(0);
});

test('a Redis that refuses lets no call through and spends no attempt, and loses no result', async () => {
  const budget = budgetOf({ requestsPerMinute: 60 });
  const call = await budget.ask();
  await budget.redis.set(budget.key, 'not a budget');
  await expect(budget.ask()).rejects.toThrow(StoreUnavailable);
  await call.settle(5, { remainingRequests: 1 });
  await budget.pause(1_000);
  const { values } = await budget.metrics.modelBudgetLosses.get();
  expect(values.map(({ labels, value }) => [labels.what, value])).toEqual([
    ['settle', 1],
    ['pause', 1],
  ]);
});

test('a budget that nobody uses expires', async () => {
  const used = budgetOf({ requestsPerMinute: 60 });
  await used.ask();
  const paused = budgetOf({});
  await paused.pause(100);
  const told = budgetOf({});
  await (await told.ask()).settle(null, { limitTokens: 1_000 });
  for (const { redis, key } of [used, paused, told]) expect(await redis.pttl(key)).toBeGreaterThan(0);
});

test('an impossible number of tokens is an error of the caller and leaves the budget whole', async () => {
  const budget = budgetOf({ tokensPerMinute: 60 });
  for (const tokens of [-1, Number.NaN, Infinity]) await expect(budget.ask(tokens)).rejects.toThrow(RangeError);
  expect(await budget.redis.exists(budget.key)).toBe(0);
});

test('its instruments are on the registry', async () => {
  const budget = budgetOf({ requestsPerMinute: 60, tokensPerMinute: 60 });
  await budget.ask();
  await budget.pause(5_000);
  await budget.refusedFor();
  const text = await budget.metrics.registry.metrics();
  for (const name of ['wait_seconds', 'refusals_total', 'level', 'losses_total']) {
    expect(text).toContain(`bunri_model_budget_${name}`);
  }
});
