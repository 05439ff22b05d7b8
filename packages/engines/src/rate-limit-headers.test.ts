import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { patienceMs, startModelApiSimulator, type ModelApiSimulator } from '@bunri/testkit';
import { z } from 'zod';
import { limitSetting } from './limit-setting.ts';
import { callModel, createOpenAiClient } from './openai-responses.ts';
import { readDurationMs, toldBefore, toldLimits } from './rate-limit-headers.ts';

test.each([
  ['1s', 1_000],
  ['6m0s', 360_000],
  ['2ms', 2],
  ['1h2m3.5s', 3_723_500],
  ['8.64s', 8_640],
  ['1d2h', 93_600_000],
  ['500µs', 0.5],
  ['0', 0],
  ['52', 52_000],
  ['7.5', 7_500],
  ['', undefined],
  ['-1', undefined],
  ['1x', undefined],
  ['1s2', undefined],
  ['soon', undefined],
  ['1.s', undefined],
  ['1767614400', undefined],
  ['2026-01-05T12:00:00Z', undefined],
])('the duration %j is %j ms', (text, ms) => {
  expect(readDurationMs(text)).toBe(ms);
});

test('headers that tell nothing that can be read tell nothing', () => {
  expect(toldLimits(undefined)).toBeUndefined();
  expect(toldLimits(new Headers({ 'x-request-id': 'req_1' }))).toBeUndefined();
  expect(
    toldLimits(new Headers({ 'x-ratelimit-limit-tokens': '-1', 'x-ratelimit-remaining-tokens': 'many' })),
  ).toBeUndefined();
});

test('only what was told is in what was told', () => {
  const headers = new Headers({ 'x-ratelimit-remaining-requests': '79', 'x-ratelimit-reset-tokens': '6m0s' });
  expect(toldLimits(headers)).toEqual({ remainingRequests: 79, resetTokensMs: 360_000 });
});

test('MODEL_LIMITS is a table of whole numbers, and empty without the setting', () => {
  expect(limitSetting.parse(undefined)).toEqual({});
  expect(limitSetting.parse('{"gpt-5":{"requestsPerMinute":500,"tokensPerMinute":30000},"own":{}}')).toEqual({
    'gpt-5': { requestsPerMinute: 500, tokensPerMinute: 30_000 },
    own: {},
  });
  for (const wrong of ['{', '[]', '{"gpt-5":500}', '{"gpt-5":{"rpm":5}}', '{"gpt-5":{"requestsPerMinute":0}}']) {
    expect(limitSetting.safeParse(wrong).success).toBe(false);
  }
});

let simulator: ModelApiSimulator;
beforeEach(async () => {
  const limits = { requestsPerMinute: 60, tokensPerMinute: 60_000 };
  simulator = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [0, 0] }, seed: 1, limits });
});
afterEach(() => simulator.stop());

function ask(onText?: () => void) {
  const client = createOpenAiClient({ apiKey: 'sk-test', baseUrl: simulator.baseUrl, timeoutMs: patienceMs });
  const call = {
    instructions: 'Answer.',
    text: 'How?',
    schema: z.object({ answer: z.string() }),
    schemaName: 'answer',
  };
  const { signal } = new AbortController();
  return callModel(call, { client, model: 'gpt-4o-mini', signal, ...(onText && { onText }) });
}

const full = {
  limitRequests: 60,
  remainingRequests: 59,
  resetRequestsMs: expect.any(Number),
  limitTokens: 60_000,
  remainingTokens: expect.any(Number),
  resetTokensMs: expect.any(Number),
};

for (const onText of [undefined, () => {}]) {
  const stream = `(stream: ${onText !== undefined})`;

  test(`an answer brings along what the API told of its limits ${stream}`, async () => {
    expect((await ask(onText)).told).toEqual(full);
  });

  test.each(['server_error', 'garbage', 'schema_mismatch', 'failed', 'refusal', 'rate_limit', 'quota'] as const)(
    `so does the error of a call that the API answered: %s ${stream}`,
    async (fault) => {
      simulator.setFaults([fault === 'failed' ? { fault, code: 'server_error' } : { fault }]);
      const error: unknown = await ask(onText).catch((reason: unknown) => reason);
      expect(toldBefore(error)).toEqual(full);
    },
  );

  test(`a call that is refused for the limit tells how long to wait and what remains ${stream}`, async () => {
    simulator.setLimits({ requestsPerMinute: 1 });
    await ask(onText);
    const error: unknown = await ask(onText).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'RateLimitedError' });
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(50_000);
    expect(toldBefore(error)).toMatchObject({ limitRequests: 1, remainingRequests: 0 });
  });
}

test('a connection that breaks before there is an answer tells nothing', async () => {
  await simulator.stop();
  expect(toldBefore(await ask().catch((reason: unknown) => reason))).toBeUndefined();
});
