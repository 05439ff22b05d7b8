import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { FailureCode } from '@bunri/queue-contracts';
import { createCircuitBreaker, type BreakerAnswer, type BreakerTimes, type CircuitBreaker } from './circuit-breaker.ts';
import { PermanentError, RateLimitedError, StageAbort, TransientError } from './errors.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';

const connections: Redis[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) if (connection.status === 'ready') await connection.quit();
});

const log = createLogger({ app: 'test', level: 'error', silent: true });
const unavailable = new TransientError('model_unavailable', 'The model API failed.');
const quota = new PermanentError('model_quota_exhausted', 'The quota is used up.');
/** So short that a test sees the whole of an outage; the probe's lease outlives the test. */
const quick = { openMs: 50, blockedMs: 200, longestMs: 150, probeLeaseMs: 60_000 };

/** As many processes as are asked for, each with a breaker of its own on the same model. */
function processes(count: number, times: Partial<BreakerTimes> = quick) {
  const prefix = `{t${randomUUID()}}`;
  return Array.from({ length: count }, () => {
    const redis = new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
    connections.push(redis);
    const metrics = createMetrics({ app: 'test', processMetrics: false });
    return {
      prefix,
      redis,
      metrics,
      breaker: createCircuitBreaker({ redis, prefix, model: 'primary:m', metrics, log, times }),
    };
  });
}

async function one(times?: Partial<BreakerTimes>) {
  const [first] = processes(1, times);
  if (!first) throw new Error('no process');
  return first;
}

async function admitted(breaker: CircuitBreaker) {
  const answer = await breaker.admit();
  if (!answer.admitted) throw new Error(`refused with ${answer.code}`);
  return answer.call;
}

async function fail(breaker: CircuitBreaker, error: unknown, times = 1): Promise<void> {
  for (let i = 0; i < times; i += 1) await (await admitted(breaker)).failed(error);
}

/** Asks until the breaker lets a call through. */
async function nextAdmitted(breaker: CircuitBreaker) {
  for (;;) {
    const answer = await breaker.admit();
    if (answer.admitted) return answer.call;
    await delay(answer.waitMs);
  }
}

/** Waits as long as a refusal says, without asking again, since that would be the probe. */
async function untilHalfOpen(breaker: CircuitBreaker): Promise<void> {
  const answer = await breaker.admit();
  if (!answer.admitted) await delay(answer.waitMs + 5);
}

const isOpen = async (breaker: CircuitBreaker) => !(await breaker.admit()).admitted;
const refusal = (answer: BreakerAnswer) => (answer.admitted ? undefined : answer.code);

test('five failures open it in all processes, once they are half of the calls; four, or a minority, do not', async () => {
  const [here, there] = processes(2).map(({ breaker }) => breaker);
  if (!here || !there) throw new Error('no processes');
  await fail(here, unavailable, 4);
  expect(await isOpen(there)).toBe(false);
  // The failures come back first, while those that will succeed are still in flight.
  const slow = await Promise.all(Array.from({ length: 9 }, async () => await admitted(there)));
  await fail(here, unavailable, 4);
  expect(await isOpen(there)).toBe(false);
  for (const call of slow) await call.succeeded();
  // 11 of 22 calls.
  await fail(here, unavailable, 3);
  expect(refusal(await there.admit())).toBe('model_unavailable');
});

test.each<FailureCode>(['model_quota_exhausted', 'model_auth_failed'])(
  '%s opens it at once, and for longer than failures do',
  async (code) => {
    const { breaker } = await one({ ...quick, blockedMs: 5_000, longestMs: 10_000 });
    await fail(breaker, new PermanentError(code, 'Blocked.'));
    expect(await breaker.admit()).toMatchObject({ admitted: false, code });
    const answer = await breaker.admit();
    expect(answer.admitted ? 0 : answer.waitMs).toBeGreaterThan(4_000);
  },
);

test.each([
  ['a rate limit', new RateLimitedError(1_000, 'wait')],
  ['a refusal', new PermanentError('model_refused', 'no')],
  ['an invalid answer', new TransientError('model_output_invalid', 'what')],
  ['a rejected call', new PermanentError('model_request_rejected', 'no')],
  ['an abort', new StageAbort('canceled')],
  ['a bug', new TypeError('oops')],
])('%s says nothing about the model: it neither opens the breaker nor closes it', async (_, error) => {
  const { breaker } = await one();
  await fail(breaker, unavailable, 4);
  await fail(breaker, error, 6);
  expect(await isOpen(breaker)).toBe(false);
  await fail(breaker, unavailable);
  expect(await isOpen(breaker)).toBe(true);
  await (await nextAdmitted(breaker)).failed(error);
  // Still half-open: the next call is a probe, and while it runs nobody else is admitted.
  await admitted(breaker);
  expect(await isOpen(breaker)).toBe(true);
});

test('half-open, one call at a time over all processes is let through, and its success closes the breaker', async () => {
  const [here, there] = processes(2).map(({ breaker }) => breaker);
  if (!here || !there) throw new Error('no processes');
  await fail(here, unavailable, 5);
  await untilHalfOpen(here);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? here : there).admit()));
  const probes = answers.flatMap((answer) => (answer.admitted ? [answer.call] : []));
  expect(probes).toHaveLength(1);
  await probes[0]?.succeeded();
  expect(await isOpen(here)).toBe(false);
  expect(await isOpen(there)).toBe(false);
});

test('the open time doubles while probes fail, up to the longest', async () => {
  const { breaker } = await one();
  await fail(breaker, unavailable, 5);
  const waits: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    await (await nextAdmitted(breaker)).failed(unavailable);
    const answer = await breaker.admit();
    waits.push(answer.admitted ? 0 : answer.waitMs);
  }
  for (const [i, longest] of [100, 150, 150, 150].entries()) {
    expect(waits[i]).toBeGreaterThan(longest - 40);
    expect(waits[i]).toBeLessThanOrEqual(longest);
  }
});

test('failures of calls that began before the breaker closed again do not open it', async () => {
  const { breaker } = await one();
  const slow = await Promise.all(Array.from({ length: 5 }, async () => await admitted(breaker)));
  await fail(breaker, unavailable, 5);
  await (await nextAdmitted(breaker)).succeeded();
  for (const call of slow) await call.failed(quota);
  expect(await isOpen(breaker)).toBe(false);
});

test('a success of a call that began before the breaker opened does not close it', async () => {
  const { breaker } = await one({ ...quick, openMs: 60_000, longestMs: 60_000 });
  const slow = await admitted(breaker);
  await fail(breaker, unavailable, 5);
  await slow.succeeded();
  expect(await isOpen(breaker)).toBe(true);
});

test('a probe whose process died gives way to another; one that lives keeps its place', async () => {
  const [dead, alive] = processes(2, { ...quick, probeLeaseMs: 90 });
  if (!dead || !alive) throw new Error('no processes');
  await fail(dead.breaker, unavailable, 5);
  await nextAdmitted(dead.breaker);
  // Its lease is renewed as long as its process can reach Redis.
  const [key] = await alive.redis.keys(`${alive.prefix}*`);
  const leaseEnd = async () => Number(await alive.redis.hget(key ?? '', 'probeUntil'));
  const firstEnd = await leaseEnd();
  while ((await leaseEnd()) < firstEnd + 90) await delay(5);
  expect(await isOpen(alive.breaker)).toBe(true);
  await dead.redis.quit();
  const probe = await admittedSoon(alive.breaker);
  await probe.succeeded();
  expect(await isOpen(alive.breaker)).toBe(false);
});

async function admittedSoon(breaker: CircuitBreaker) {
  for (;;) {
    const answer = await breaker.admit();
    if (answer.admitted) return answer.call;
    await delay(10);
  }
}

test('a breaker that cannot be read or written counts as closed, and says so', async () => {
  const { breaker, redis, metrics } = await one();
  const call = await admitted(breaker);
  await redis.quit();
  await call.failed(quota);
  await (await admitted(breaker)).succeeded();
  expect((await metrics.breakerTrouble.get()).values).toMatchObject([{ value: 2 }]);
});

test('each process knows what it last heard of the breaker, and takes it for closed only once it has heard so', async () => {
  const [here, there] = processes(2).map(({ breaker }) => breaker);
  if (!here || !there) throw new Error('no processes');
  expect(here.wasClosed).toBe(false);
  const call = await admitted(here);
  expect(here.wasClosed).toBe(true);
  await admitted(there);
  await call.failed(quota);
  expect([here.wasClosed, there.wasClosed]).toEqual([false, true]);
  expect(await isOpen(there)).toBe(true);
  expect(there.wasClosed).toBe(false);
  const probe = await nextAdmitted(there);
  expect(there.wasClosed).toBe(false);
  await probe.succeeded();
  expect(there.wasClosed).toBe(true);
});

test('the gauge shows the state, the counter the opening and why', async () => {
  const { breaker, metrics } = await one();
  const state = async () => (await metrics.breakerState.get()).values[0]?.value;
  await admitted(breaker);
  expect(await state()).toBe(0);
  await fail(breaker, quota);
  expect(await state()).toBe(2);
  const openings = async () =>
    (await metrics.breakerOpenings.get()).values
      .filter(({ value }) => value > 0)
      .map(({ labels, value }) => [labels.model, labels.code, value]);
  expect(await openings()).toEqual([['primary:m', 'model_quota_exhausted', 1]]);
  // Nobody asks any more, but once the time is over the next call decides.
  while ((await state()) !== 1) await delay(5);
  await (await nextAdmitted(breaker)).failed(unavailable);
  expect(await state()).toBe(2);
  await (await nextAdmitted(breaker)).succeeded();
  expect(await state()).toBe(0);
  expect(await openings()).toEqual([['primary:m', 'model_quota_exhausted', 1]]);
});

test('every failure that can open it is counted from 0 on, so that its first opening is seen as a rise', async () => {
  const { metrics } = await one();
  const { values } = await metrics.breakerOpenings.get();
  expect(new Set(values.map(({ labels }) => `${labels.model} ${labels.code}`))).toEqual(
    new Set(
      ['model_unavailable', 'model_timeout', 'model_quota_exhausted', 'model_auth_failed'].map(
        (code) => `primary:m ${code}`,
      ),
    ),
  );
  expect(values.map(({ value }) => value)).toEqual([0, 0, 0, 0]);
});
