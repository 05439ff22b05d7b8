import { setImmediate } from 'node:timers/promises';
import { expect, jest, test } from '@jest/globals';
import { stages, type FailureCode, type Usage } from '@bunri/queue-contracts';
import {
  createLogger,
  createMetrics,
  DeferredError,
  PermanentError,
  RateLimitedError,
  StageAbort,
  TransientError,
} from '@bunri/runtime';
import type { TokenCount } from './engine.ts';
import { callChain, type Chain, type ChainCall, type ChainLink } from './model-chain.ts';
import { notePaid, notePerhapsPaid } from './paid-failure.ts';

const now = 1_000_000;
const farDeadline = now + 60_000;
const tokens: TokenCount = { input: 1_000, cachedInput: 0, output: 100 };
/** A dollar for a million tokens: what is expected below costs 0.006 at most, what is answered 0.0011. */
const price = { input: 1, cachedInput: 1, output: 1 };
const prices = { first: price, second: price, third: price };

const permanent = (code: FailureCode) => new PermanentError(code, code);
const transient = (code: FailureCode) => new TransientError(code, code);
const rateLimit = (waitMs: number) => new RateLimitedError(waitMs, 'wait');

interface Behaviour {
  /** What a call throws; without it the engine answers with its name. */
  readonly fails?: Error;
  readonly open?: { readonly code: FailureCode; readonly waitMs: number };
  /** What this process last heard of the breaker; without it, what the breaker will say. */
  readonly wasClosed?: boolean;
  /** The breaker answers when it is told to. */
  readonly breakerAnswers?: Promise<void>;
  readonly budget?: Error;
  readonly known?: string;
  readonly provider?: string;
  readonly isFree?: boolean;
  /** Answers only when it is aborted. */
  readonly hangs?: boolean;
}

/** A chain of engines that behave so, and a log of all that was done with them. */
function setUp(behaviours: Record<string, Behaviour>, refusal?: Error, clock = { at: now }) {
  const done: string[] = [];
  const reserved: { usd: number; paid?: Usage | undefined }[] = [];
  const links = Object.entries(behaviours).map(([model, behaviour]): ChainLink<string, string> => {
    const engine = { provider: behaviour.provider ?? 'fake', model };
    return {
      name: `primary:${model}`,
      identity: model,
      ...(behaviour.isFree && { isFree: true }),
      engine: {
        model,
        load: () => Promise.resolve(),
        unload: () => Promise.resolve(),
        memoryBytes: () => 0,
        predict: async (batch, { signal }) => {
          done.push(`${model} called`);
          if (behaviour.hangs) await new Promise((resolve) => signal.addEventListener('abort', resolve));
          signal.throwIfAborted();
          if (behaviour.fails) return Promise.reject(behaviour.fails);
          return Promise.resolve(batch.map(() => ({ value: `${model}'s answer`, engine, tokens })));
        },
      },
      expect: () => ({ input: 2_000, cachedInput: 0, output: 200, mostOutput: 4_000 }),
      breaker: {
        wasClosed: behaviour.wasClosed ?? !behaviour.open,
        admit: async () => {
          await behaviour.breakerAnswers;
          if (behaviour.open) return { admitted: false, ...behaviour.open };
          return {
            admitted: true,
            call: {
              succeeded: () => Promise.resolve(void done.push(`${model} succeeded`)),
              failed: () => Promise.resolve(void done.push(`${model} failed`)),
            },
          };
        },
      },
      budget: {
        admit: () =>
          behaviour.budget
            ? Promise.reject(behaviour.budget)
            : Promise.resolve({
                settle: (used: number | null) => Promise.resolve(void done.push(`${model} used ${used}`)),
                giveBack: () => Promise.resolve(void done.push(`${model} gives back`)),
              }),
        pause: (ms) => Promise.resolve(void done.push(`${model} pauses ${ms}`)),
      },
    };
  });
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const spending = {
    reserve: ({ usd }: { usd: number }) => {
      if (refusal) return Promise.reject(refusal);
      const entry: (typeof reserved)[number] = { usd };
      reserved.push(entry);
      return Promise.resolve({
        settle: (paid?: Usage) => {
          entry.paid = paid;
          return Promise.resolve();
        },
      });
    },
  };
  const call = (over: Partial<ChainCall<string, string, string>> = {}) =>
    callChain(
      links as unknown as Chain<string, string>,
      {
        stage: 'llm',
        owner: 'ann',
        createdAt: now,
        deadlineAt: farDeadline,
        lastAttempt: false,
        signal: new AbortController().signal,
        log: createLogger({ app: 'test', level: 'error', silent: true }),
        task: () => Promise.resolve('task'),
        recall: ({ engine }) => Promise.resolve(behaviours[engine.model]?.known ?? null),
        accept: ({ value }) => Promise.resolve(value),
        mayHold: true,
        ...over,
      },
      { spending, prices, metrics, now: () => clock.at },
    );
  const calls = () => done.filter((line) => line.endsWith('called')).map((line) => line.split(' ')[0]);
  return { call, done, calls, reserved, metrics };
}

const unavailableFor = (waitMs: number) => ({ open: { code: 'model_unavailable', waitMs } as const });
const blocked = { open: { code: 'model_quota_exhausted', waitMs: 50_000 } as const };
const last = { lastAttempt: true };
const soon = { deadlineAt: now + 5_000 };

test.each<{ name: string; first: Behaviour; over?: object; degraded?: FailureCode; throws?: object; calls: string[] }>([
  { name: 'an answer', first: {}, calls: ['first'] },
  {
    name: 'a quota that is used up',
    first: { fails: permanent('model_quota_exhausted') },
    degraded: 'model_quota_exhausted',
    calls: ['first', 'second'],
  },
  {
    name: 'a key that is refused',
    first: { fails: permanent('model_auth_failed') },
    degraded: 'model_auth_failed',
    calls: ['first', 'second'],
  },
  {
    name: 'a call that is rejected',
    first: { fails: permanent('model_request_rejected') },
    degraded: 'model_request_rejected',
    calls: ['first', 'second'],
  },
  {
    name: 'an outage, with attempts left',
    first: { fails: transient('model_unavailable') },
    throws: { code: 'model_unavailable' },
    calls: ['first'],
  },
  {
    name: 'an outage, on the last attempt',
    first: { fails: transient('model_unavailable') },
    over: last,
    degraded: 'model_unavailable',
    calls: ['first', 'second'],
  },
  {
    name: 'a time-out, on the last attempt',
    first: { fails: transient('model_timeout') },
    over: last,
    degraded: 'model_timeout',
    calls: ['first', 'second'],
  },
  {
    name: 'an outage, too close to the deadline for another attempt',
    first: { fails: transient('model_unavailable') },
    over: { deadlineAt: now + 2_500 },
    degraded: 'model_unavailable',
    calls: ['first', 'second'],
  },
  {
    name: 'a breaker that is open',
    first: unavailableFor(5_000),
    degraded: 'model_unavailable',
    calls: ['second'],
  },
  { name: 'a breaker that quota opened', first: blocked, degraded: 'model_quota_exhausted', calls: ['second'] },
  {
    name: 'a rate limit that the deadline leaves time for',
    first: { fails: rateLimit(3_000) },
    throws: { name: 'DeferredError', waitMs: 3_000 },
    calls: ['first'],
  },
  {
    name: 'a rate limit that ends after the deadline',
    first: { fails: rateLimit(3_000) },
    over: soon,
    degraded: 'model_unavailable',
    calls: ['first', 'second'],
  },
  {
    name: 'a budget that is used up beyond the deadline',
    first: { budget: rateLimit(30_000) },
    over: soon,
    degraded: 'model_unavailable',
    calls: ['second'],
  },
  {
    name: 'a refusal',
    first: { fails: permanent('model_refused') },
    over: last,
    throws: { code: 'model_refused' },
    calls: ['first'],
  },
  {
    name: 'an invalid answer',
    first: { fails: transient('model_output_invalid') },
    over: last,
    throws: { code: 'model_output_invalid' },
    calls: ['first'],
  },
  {
    name: 'a bug',
    first: { fails: new RangeError('oops') },
    over: last,
    throws: { name: 'RangeError' },
    calls: ['first'],
  },
])('$name of the first choice: calls $calls', async ({ first, over, degraded, throws, calls }) => {
  const chain = setUp({ first, second: {} });
  const outcome: unknown = await chain.call(over).catch((error: unknown) => error);
  const answer = { output: `${degraded ? 'second' : 'first'}'s answer`, cached: false, ...(degraded && { degraded }) };
  expect(outcome).toMatchObject(throws ?? answer);
  expect(chain.calls()).toEqual(calls);
  const counted = (await chain.metrics.degradedAnswers.get()).values.map(({ labels }) => labels);
  expect(counted).toEqual(degraded ? [{ stage: 'llm', code: degraded }] : []);
});

test.each<{ name: string; second: Behaviour; over?: object; throws: object }>([
  { name: 'an open breaker: the queue waits', second: unavailableFor(9_000), throws: { retryAfterMs: 4_000 } },
  {
    name: 'quota: the queue waits for the first',
    second: { fails: permanent('model_quota_exhausted') },
    throws: { name: 'RateLimitedError', retryAfterMs: 4_000 },
  },
  {
    name: 'an outage: another attempt',
    second: { fails: transient('model_timeout') },
    throws: { code: 'model_timeout' },
  },
  {
    name: 'an outage on the last attempt: the request fails as the first choice did',
    second: { fails: transient('model_timeout') },
    over: last,
    throws: { name: 'PermanentError', code: 'model_unavailable' },
  },
  {
    name: 'an open breaker too close to the deadline: the request fails at once',
    second: unavailableFor(9_000),
    over: soon,
    throws: { name: 'PermanentError', code: 'model_unavailable' },
  },
  {
    name: 'an open breaker, in a replay: it must not stop the queue of the others',
    second: unavailableFor(9_000),
    over: { mayHold: false },
    throws: { name: 'DeferredError', waitMs: 4_000 },
  },
  {
    name: 'a longer rate limit: the queue waits for what opens first',
    second: { fails: rateLimit(40_000) },
    throws: { name: 'RateLimitedError', retryAfterMs: 4_000 },
  },
  {
    name: 'a shorter rate limit: the queue waits for what opens first',
    second: { budget: rateLimit(1_000) },
    throws: { name: 'RateLimitedError', retryAfterMs: 1_000 },
  },
  {
    name: 'no liking for this photo: this request alone waits for the first',
    second: { fails: permanent('model_request_rejected') },
    throws: { name: 'DeferredError', waitMs: 4_000 },
  },
])('with the first breaker open for 4 s, the second choice has $name', async ({ second, over, throws }) => {
  await expect(setUp({ first: unavailableFor(4_000), second }).call(over)).rejects.toMatchObject(throws);
});

test('a breaker that quota opened is not waited for, however late the deadline is', async () => {
  await expect(setUp({ first: blocked }).call()).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'model_quota_exhausted',
  });
});

test('of a chain that is used up the last resort answers, and says why the first choice did not', async () => {
  const chain = setUp({ first: { fails: permanent('model_quota_exhausted') }, second: unavailableFor(1) });
  const lastResort = (why: FailureCode) => `rules, for ${why}`;
  expect(await chain.call({ lastResort })).toEqual({
    output: 'rules, for model_quota_exhausted',
    degraded: 'model_quota_exhausted',
    cached: false,
  });
  expect(chain.calls()).toEqual(['first']);
});

test('a cap that is reached goes on without a call; where nothing is left, the request fails with it', async () => {
  const chain = setUp({ first: {}, second: {} }, permanent('spending_cap_reached'));
  await expect(chain.call()).rejects.toMatchObject({ name: 'PermanentError', code: 'spending_cap_reached' });
  expect(await chain.call({ lastResort: () => 'rules' })).toMatchObject({ degraded: 'spending_cap_reached' });
  expect(chain.calls()).toEqual([]);
  // What its calls would have used is there for others.
  expect(chain.done).toContain('first gives back');
  expect(chain.done).toContain('second gives back');
});

test('what a fallback has answered before is not paid for again, and still is degraded', async () => {
  const chain = setUp({ first: blocked, second: { known: 'kept' } });
  expect(await chain.call()).toEqual({ output: 'kept', cached: true, degraded: 'model_quota_exhausted' });
  expect(chain.calls()).toEqual([]);
});

test('an answer is kept before it is settled with cap, budget and breaker', async () => {
  const { call, done, reserved } = setUp({ first: {} });
  await call({ accept: ({ value }) => Promise.resolve(void done.push('kept')).then(() => value) });
  expect(done).toEqual(['first called', 'kept', 'first used 1100', 'first succeeded']);
  expect(reserved).toMatchObject([{ usd: expect.closeTo(0.006, 9), paid: { cost_usd: expect.closeTo(0.0011, 9) } }]);
});

const paidFor = (error: Error) => {
  notePaid(error, { tokens, engine: { provider: 'openai', model: 'first' } });
  return error;
};
const perhapsPaidFor = (error: Error) => {
  notePerhapsPaid(error);
  return error;
};
const nothing = { input_tokens: 0, output_tokens: 0, cost_usd: 0 };

test.each([
  ['an answer that is refused', paidFor(transient('model_output_invalid')), { input_tokens: 1_000 }],
  ['an outage', transient('model_unavailable'), nothing],
  ['a rejected call', permanent('model_request_rejected'), nothing],
  ['an answer that breaks off, which may be billed', perhapsPaidFor(transient('model_unavailable')), undefined],
  ['a time-out, which may be billed', transient('model_timeout'), undefined],
  ['an abort, which may be billed', new StageAbort('deadline'), undefined],
])('the cap counts for %s what it cost', async (_, error, paid) => {
  const { call, reserved, done } = setUp({ first: { fails: error } });
  await expect(call()).rejects.toBe(error);
  expect(reserved).toMatchObject([{ paid }]);
  // The model's budget goes by the same.
  const tokensUsed = paid && (paid.input_tokens > 0 ? 1_100 : 0);
  expect(done).toContain(`first used ${tokensUsed ?? null}`);
});

test('a call that the budget does not admit costs nothing, and says nothing about the model', async () => {
  const { call, done, reserved } = setUp({ first: { budget: rateLimit(1_000) } });
  await expect(call()).rejects.toMatchObject({ retryAfterMs: 1_000 });
  expect(reserved).toMatchObject([{ paid: nothing }]);
  expect(done).toEqual(['first failed']);
});

test("a provider's rate limit pauses the model for all", async () => {
  const { call, done, reserved } = setUp({ first: { fails: rateLimit(1_500) } });
  await expect(call()).rejects.toMatchObject({ name: 'RateLimitedError', retryAfterMs: 1_500 });
  expect(done).toContain('first pauses 1500');
  expect(reserved).toMatchObject([{ paid: nothing }]);
});

const day = { deadlineAt: now + 86_400_000 };
const alone = (waitMs: number) => ({ name: 'DeferredError', waitMs });

test.each<{ name: string; behaviours: Record<string, Behaviour>; over?: object; refusal?: Error; throws: object }>([
  {
    name: 'a replay whose model asks to wait',
    behaviours: { first: { fails: rateLimit(120_000) } },
    over: { ...day, mayHold: false },
    throws: alone(120_000),
  },
  {
    name: 'a replay whose model has no budget left',
    behaviours: { first: { budget: rateLimit(60_000) } },
    over: { ...day, mayHold: false },
    throws: alone(60_000),
  },
  {
    name: 'a batch request that may wait, before another model',
    behaviours: { first: { fails: rateLimit(120_000) }, second: {} },
    over: day,
    throws: alone(120_000),
  },
  {
    name: 'a batch request that may wait, before the rules',
    behaviours: { first: { fails: rateLimit(120_000) } },
    over: { ...day, lastResort: () => 'rules' },
    throws: alone(120_000),
  },
  {
    name: 'an owner whose calls in flight hold the rest of the cap',
    behaviours: { first: {} },
    refusal: new DeferredError(1_500, 'in flight'),
    throws: alone(1_500),
  },
  {
    name: 'an owner at the cap, with the first breaker open',
    behaviours: { first: unavailableFor(30_000), second: {} },
    over: day,
    refusal: permanent('spending_cap_reached'),
    throws: { name: 'PermanentError', code: 'spending_cap_reached' },
  },
  {
    name: 'a request that cannot wait as long as the only model asks',
    behaviours: { first: { fails: rateLimit(120_000) } },
    throws: { name: 'PermanentError', code: 'model_unavailable' },
  },
])('the queue of the others is not stopped by $name', async ({ behaviours, over, refusal, throws }) => {
  await expect(setUp(behaviours, refusal).call(over)).rejects.toMatchObject(throws);
});

test('an attempt that failed is not repeated by waiting for a busy fallback', async () => {
  const { call } = setUp({ first: { fails: transient('model_unavailable') }, second: { fails: rateLimit(1_000) } });
  await expect(call(last)).rejects.toMatchObject({ name: 'TransientError', code: 'model_unavailable' });
});

test.each([
  { stage: 'vision', leastLeftMs: 80_000 },
  { stage: 'llm', leastLeftMs: 40_000 },
] as const)(
  'a first choice that asks to wait a second, again and again, is waited for only until $leastLeftMs ms are left at $stage',
  async ({ stage, leastLeftMs }) => {
    const clock = { at: now };
    const { call } = setUp({ first: { fails: rateLimit(1_000) }, second: {} }, undefined, clock);
    const deadlineAt = now + 120_000;
    let handBacks = 0;
    const ask = async () => await call({ stage, deadlineAt }).catch((error: unknown) => error);
    let ended: unknown = await ask();
    for (; ended instanceof DeferredError; ended = await ask()) {
      handBacks += 1;
      clock.at += Math.ceil(ended.waitMs * 1.1);
    }
    expect(ended).toMatchObject({ output: "second's answer", degraded: 'model_unavailable' });
    expect(deadlineAt - clock.at).toBeGreaterThanOrEqual(leastLeftMs);
    expect(deadlineAt - clock.at).toBeLessThan(leastLeftMs + 10_000);
    expect(handBacks).toBeGreaterThan(10);
    expect(handBacks).toBeLessThan(40);
  },
);

test('an aborted request goes to no other engine', async () => {
  const controller = new AbortController();
  const { call, calls } = setUp({ first: { fails: permanent('model_quota_exhausted') }, second: {} });
  controller.abort(new StageAbort('canceled'));
  await expect(call({ signal: controller.signal })).rejects.toBeDefined();
  expect(calls()).toEqual(['first']);
});

test('once an engine has said that it is simulated, nothing is reserved for its calls', async () => {
  const { call, reserved } = setUp({ first: { provider: 'simulator' } });
  await call();
  await call();
  expect(reserved.map(({ usd }) => usd > 0)).toEqual([true, false]);
});

test.each([
  { name: 'another model', behaviours: { first: { hangs: true }, second: {} }, over: {}, by: "second's answer" },
  { name: 'the rules', behaviours: { first: { hangs: true } }, over: { lastResort: () => 'rules' }, by: 'rules' },
])('a model that hangs leaves $name time to answer before the deadline', async ({ behaviours, over, by }) => {
  const { call, done } = setUp(behaviours);
  jest.useFakeTimers();
  const answered = call({ ...over, deadlineAt: now + 300 });
  await jest.advanceTimersByTimeAsync(290);
  jest.useRealTimers();
  expect(await answered).toEqual({ output: by, degraded: 'model_timeout', cached: false });
  expect(done.slice(0, 2)).toEqual(['first called', 'first used null']);
});

test('a call that comes late in the run of its stage leaves those behind it time before the run ends', async () => {
  const { call } = setUp({ first: { hangs: true } });
  const startedAt = now - stages.llm.timeoutMs + 300;
  const late = { lastAttempt: true, lastResort: () => 'rules', startedAt, deadlineAt: now + 3_600_000 };
  expect(await call(late)).toMatchObject({ output: 'rules', degraded: 'model_timeout' });
});

test('an engine of this machine costs nothing, whether it answers or fails, and needs no price', async () => {
  const free: Behaviour = { provider: 'local', isFree: true };
  const { call, reserved } = setUp({ unpriced: free });
  expect(await call()).toEqual({ output: "unpriced's answer", cached: false });
  expect(reserved).toEqual([{ usd: 0, paid: { input_tokens: 0, output_tokens: 0, cost_usd: 0 } }]);

  const failing = setUp({ unpriced: { ...free, fails: transient('model_timeout') } });
  await expect(failing.call()).rejects.toMatchObject({ code: 'model_timeout' });
  expect(failing.reserved).toEqual([{ usd: 0, paid: { input_tokens: 0, output_tokens: 0, cost_usd: 0 } }]);
});

test.each([
  { name: 'last seen closed', wasClosed: true, asked: 1 },
  { name: 'not seen closed', wasClosed: false, asked: 0 },
])('where the breaker was $name, cap and budget are asked $asked times before it has answered', async (given) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { call, calls, reserved } = setUp({ first: { wasClosed: given.wasClosed, breakerAnswers: promise } });
  const answer = call();
  await setImmediate();
  expect(reserved).toHaveLength(given.asked);
  expect(calls()).toEqual([]);
  resolve();
  expect(await answer).toMatchObject({ output: "first's answer" });
  expect(reserved).toHaveLength(1);
});

test('what was booked for a call that the breaker then refuses is given back', async () => {
  const { call, calls, done, reserved } = setUp({ first: { ...unavailableFor(5_000), wasClosed: true }, second: {} });
  expect(await call()).toMatchObject({ output: "second's answer", degraded: 'model_unavailable' });
  expect(calls()).toEqual(['second']);
  expect(done).toContain('first gives back');
  expect(reserved).toMatchObject([{ paid: { cost_usd: 0 } }, { paid: { cost_usd: 0.0011 } }]);
});

test('a budget that refuses along with the breaker leaves nothing behind, and the breaker says why', async () => {
  const first = { ...unavailableFor(5_000), wasClosed: true, budget: rateLimit(30_000) };
  const { call, reserved } = setUp({ first, second: {} });
  expect(await call()).toMatchObject({ output: "second's answer", degraded: 'model_unavailable' });
  await setImmediate();
  expect(reserved[0]).toMatchObject({ paid: { cost_usd: 0 } });
});

test('a budget that refuses before the breaker has answered is heard once it has', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unheard: unknown[] = [];
  const note = (reason: unknown) => void unheard.push(reason);
  process.on('unhandledRejection', note);
  try {
    const { call, done } = setUp({ first: { wasClosed: true, breakerAnswers: promise, budget: rateLimit(3_000) } });
    const answer = call();
    await setImmediate();
    resolve();
    await expect(answer).rejects.toMatchObject({ name: 'RateLimitedError', retryAfterMs: 3_000 });
    expect(done).toContain('first failed');
    expect(unheard).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
