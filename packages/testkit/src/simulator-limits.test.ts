import { afterEach, expect, test } from '@jest/globals';
import { startModelApiSimulator, type ModelApiSimulator } from './model-api-simulator.ts';
import { parseLimits, rateLimiter } from './simulator-limits.ts';
import { callBody, post } from './simulator-test-calls.ts';

test('what is not enforced is told as a generous limit, and refused for nothing', () => {
  const limiter = rateLimiter({}, () => 0);
  const calls = Array.from({ length: 40_000 }, () => limiter('gpt-5', 10));
  expect(calls.filter(({ refusal }) => refusal)).toEqual([]);
  expect(limiter('gpt-5', 10).headers).toMatchObject({
    'x-ratelimit-limit-requests': '30000',
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-limit-tokens': '30000000',
    'x-ratelimit-remaining-tokens': '29599990',
  });
});

test('above the limit calls are refused until what they need has refilled, evenly', () => {
  let now = 0;
  const limiter = rateLimiter({ requestsPerMinute: 60 }, () => now);
  const admitted = () =>
    Array.from({ length: 100 }, () => limiter('gpt-5', 1)).filter(({ refusal }) => !refusal).length;
  expect(admitted()).toBe(60);
  const { headers, refusal } = limiter('gpt-5', 1);
  expect(refusal?.kind).toBe('requests');
  expect(headers).toMatchObject({
    'x-ratelimit-remaining-requests': '0',
    'x-ratelimit-reset-requests': '1m0s',
    'retry-after-ms': '1000',
    'retry-after': '1',
  });
  now = 999;
  expect(admitted()).toBe(0);
  now = 10_000;
  expect(admitted()).toBe(10);
  now = 600_000;
  expect(admitted()).toBe(60);
});

test('tokens are limited for themselves, and a call that never fits is refused every time', () => {
  let now = 0;
  const limiter = rateLimiter({ tokensPerMinute: 6_000, burstSeconds: 10 }, () => now);
  expect(limiter('gpt-5', 900).refusal).toBeUndefined();
  const { headers, refusal } = limiter('gpt-5', 900);
  expect(refusal?.kind).toBe('tokens');
  expect(headers).toMatchObject({ 'retry-after-ms': '8000', 'x-ratelimit-reset-tokens': '9s' });
  expect(limiter('gpt-5', 100).refusal).toBeUndefined();
  now = 60_000;
  expect(limiter('gpt-5', 1_001).refusal).toBeDefined();
});

test('each model has limits of its own', () => {
  const limiter = rateLimiter({ requestsPerMinute: 1 }, () => 0);
  expect(limiter('gpt-5', 1).refusal).toBeUndefined();
  expect(limiter('gpt-4o', 1).refusal).toBeUndefined();
  expect(limiter('gpt-5', 1).refusal).toBeDefined();
});

test.each(['[]', 'null', '{"requests":5}', '{"requestsPerMinute":0}', '{"tokensPerMinute":"5"}'])(
  '%s are no limits',
  (json) => {
    expect(() => parseLimits(json)).toThrow(/requestsPerMinute, tokensPerMinute, burstSeconds/);
  },
);

let simulator: ModelApiSimulator | undefined;
afterEach(() => simulator?.stop());

test('a refused call looks like one of the real API, and spends no fault', async () => {
  const latency = { vision: [0, 0], answer: [0, 0] } as const;
  const limits = { requestsPerMinute: 2 };
  simulator = await startModelApiSimulator({ latency, seed: 1, limits, faults: [{ fault: 'bad_request', times: 2 }] });
  const { baseUrl } = simulator;
  const ask = async () => await post(baseUrl, callBody('How?'));
  expect([(await ask()).status, (await ask()).status]).toEqual([400, 400]);
  const refused = await ask();
  expect(refused.status).toBe(429);
  const retryAfterS = Number(refused.headers.get('retry-after'));
  // Less what has passed since the first call.
  expect([retryAfterS > 0, retryAfterS <= 30]).toEqual([true, true]);
  expect(await refused.json()).toMatchObject({ error: { code: 'rate_limit_exceeded', type: 'requests' } });
  const put = async (body: string) =>
    (await fetch(new URL('/simulator/limits', baseUrl), { method: 'PUT', body })).status;
  expect(await put('{"requestsPerMinute":-1}')).toBe(400);
  expect(await put('{}')).toBe(200);
  expect((await ask()).status).toBe(200);
  expect(simulator.calls().map(({ status, fault }) => [status, fault])).toEqual([
    [400, 'bad_request'],
    [400, 'bad_request'],
    [429, null],
    [200, null],
  ]);
});
