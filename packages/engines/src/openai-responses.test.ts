import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { PermanentError, RateLimitedError, TransientError } from '@bunri/runtime';
import {
  drawSamplePhoto,
  freePort,
  startModelApiSimulator,
  type FaultRule,
  type ModelApiSimulator,
  watchMachine,
} from '@bunri/testkit';
import { z } from 'zod';
import type { StructuredCall } from './model-request.ts';
import { callModel, createOpenAiClient } from './openai-responses.ts';
import { perhapsPaid } from './paid-failure.ts';

const schema = z.object({
  answer: z.string().min(1),
  item_id: z.string().nullable(),
  steps: z.array(z.object({ text: z.string().min(1), rule_ids: z.array(z.string()) })),
});
type Answer = z.infer<typeof schema>;

const apiKey = 'sk-secret-key';
const call: StructuredCall<Answer> = {
  instructions: 'secret-instructions\npet-bottle | 페트병 | PET bottle | recyclable',
  text: 'secret-question about a PET bottle\n[rule:pet.rinse] Rinse it.\n[rule:pet.cap] Put the cap back on.',
  schema,
  schemaName: 'answer',
};

let simulator: ModelApiSimulator;
let photo: Buffer;
beforeAll(async () => {
  photo = await drawSamplePhoto();
});
beforeEach(async () => {
  simulator = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [10, 10] }, seed: 1 });
});
afterEach(() => simulator.stop());

interface Asking {
  key?: string;
  baseUrl?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
  onText?: (text: string) => void;
  extra?: Partial<StructuredCall<Answer>>;
  model?: string;
}

function ask(asking: Asking = {}) {
  const { key = apiKey, baseUrl = simulator.baseUrl, timeoutMs = 5_000, onText, extra } = asking;
  const { signal = new AbortController().signal, model = 'gpt-4o-mini' } = asking;
  const client = createOpenAiClient({ apiKey: key, baseUrl, timeoutMs });
  return callModel({ ...call, ...extra }, { client, model, signal, ...(onText && { onText }) });
}

async function failureOf(promise: Promise<unknown>): Promise<PermanentError | TransientError | RateLimitedError> {
  const error: unknown = await promise.then(
    () => new Error('the call did not fail'),
    (reason: unknown) => reason,
  );
  const isOurs =
    error instanceof PermanentError || error instanceof TransientError || error instanceof RateLimitedError;
  if (isOurs) return error;
  throw error;
}

test('an answer is the validated value, with the engine that gave it and its tokens', async () => {
  const { value, engine, tokens } = await ask();
  expect(value.steps).toEqual([
    { text: 'Rinse it.', rule_ids: ['pet.rinse'] },
    { text: 'Put the cap back on.', rule_ids: ['pet.cap'] },
  ]);
  expect(value.item_id).toBe('pet-bottle');
  expect(engine).toEqual({ provider: 'simulator', model: 'simulator/gpt-4o-mini' });
  expect(tokens).toEqual({ input: expect.any(Number), cachedInput: 0, output: expect.any(Number) });
});

test('a photo goes along, and a reasoning model gets its effort', async () => {
  const image = { bytes: photo, mediaType: 'image/jpeg', detail: 'low' } as const;
  await ask({ model: 'gpt-5', extra: { image, reasoningEffort: 'minimal', maxOutputTokens: 500 } });
  expect(simulator.calls()).toMatchObject([{ kind: 'vision', model: 'gpt-5', status: 200 }]);
});

test('a streamed answer is the same, and each snapshot of its text begins with the one before', async () => {
  await simulator.stop();
  simulator = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [600, 600] }, seed: 1 });
  const snapshots: string[] = [];
  const streamed = await ask({ onText: (text) => snapshots.push(text) });
  expect(streamed.value).toEqual((await ask()).value);
  expect(snapshots.length).toBeGreaterThan(1);
  for (const [index, snapshot] of snapshots.entries()) {
    expect(snapshot.startsWith(snapshots[index - 1] ?? '')).toBe(true);
  }
  expect(JSON.parse(snapshots.at(-1) ?? '')).toEqual(streamed.value);
  expect(simulator.calls()[0]).toMatchObject({ stream: true, aborted: false });
});

test('what the listener of a stream throws is not taken for a failure of the model', async () => {
  const onText = () => {
    throw new RangeError('from the listener');
  };
  await expect(ask({ onText })).rejects.toThrow(new RangeError('from the listener'));
});

const table: [rule: FaultRule, expected: { name: string; code?: string; retryAfterMs?: number }][] = [
  [
    { fault: 'http_error', status: 401 },
    { name: 'PermanentError', code: 'model_auth_failed' },
  ],
  [
    { fault: 'http_error', status: 403 },
    { name: 'PermanentError', code: 'model_auth_failed' },
  ],
  [{ fault: 'quota' }, { name: 'PermanentError', code: 'model_quota_exhausted' }],
  [
    { fault: 'http_error', status: 429, code: 'billing_hard_limit_reached' },
    { name: 'PermanentError', code: 'model_quota_exhausted' },
  ],
  [
    { fault: 'http_error', status: 402 },
    { name: 'PermanentError', code: 'model_quota_exhausted' },
  ],
  [
    { fault: 'rate_limit', retryAfterMs: 250 },
    { name: 'RateLimitedError', retryAfterMs: 250 },
  ],
  [
    { fault: 'rate_limit', retryAfter: '2' },
    { name: 'RateLimitedError', retryAfterMs: 2_000 },
  ],
  [{ fault: 'rate_limit' }, { name: 'RateLimitedError', retryAfterMs: 1_000 }],
  [{ fault: 'bad_request' }, { name: 'PermanentError', code: 'model_request_rejected' }],
  [
    { fault: 'http_error', status: 404 },
    { name: 'PermanentError', code: 'model_request_rejected' },
  ],
  [
    { fault: 'http_error', status: 422 },
    { name: 'PermanentError', code: 'model_request_rejected' },
  ],
  [
    { fault: 'http_error', status: 413 },
    { name: 'PermanentError', code: 'model_request_rejected' },
  ],
  [
    { fault: 'http_error', status: 400, code: 'content_policy_violation' },
    { name: 'PermanentError', code: 'model_refused' },
  ],
  [
    { fault: 'http_error', status: 408 },
    { name: 'TransientError', code: 'model_unavailable' },
  ],
  [
    { fault: 'http_error', status: 409 },
    { name: 'TransientError', code: 'model_unavailable' },
  ],
  [{ fault: 'server_error' }, { name: 'TransientError', code: 'model_unavailable' }],
  [
    { fault: 'server_error', status: 503 },
    { name: 'TransientError', code: 'model_unavailable' },
  ],
  [
    { fault: 'http_error', status: 529 },
    { name: 'TransientError', code: 'model_unavailable' },
  ],
  [{ fault: 'disconnect' }, { name: 'TransientError', code: 'model_unavailable' }],
  [{ fault: 'truncated_stream' }, { name: 'TransientError', code: 'model_unavailable' }],
  [{ fault: 'hang' }, { name: 'TransientError', code: 'model_timeout' }],
  [{ fault: 'stall' }, { name: 'TransientError', code: 'model_timeout' }],
  [
    { fault: 'slow', delayMs: 2_000 },
    { name: 'TransientError', code: 'model_timeout' },
  ],
  [{ fault: 'garbage' }, { name: 'TransientError', code: 'model_output_invalid' }],
  [{ fault: 'schema_mismatch' }, { name: 'TransientError', code: 'model_output_invalid' }],
  [
    { fault: 'incomplete', reason: 'max_output_tokens' },
    { name: 'TransientError', code: 'model_output_invalid' },
  ],
  [
    { fault: 'incomplete', reason: 'content_filter' },
    { name: 'PermanentError', code: 'model_refused' },
  ],
  [{ fault: 'refusal' }, { name: 'PermanentError', code: 'model_refused' }],
  [
    { fault: 'failed', code: 'server_error' },
    { name: 'TransientError', code: 'model_unavailable' },
  ],
  [
    { fault: 'failed', code: 'rate_limit_exceeded' },
    { name: 'RateLimitedError', retryAfterMs: 1_000 },
  ],
  [
    { fault: 'failed', code: 'invalid_image' },
    { name: 'PermanentError', code: 'model_request_rejected' },
  ],
  [
    { fault: 'failed', code: 'image_content_policy_violation' },
    { name: 'PermanentError', code: 'model_refused' },
  ],
  [
    { fault: 'error_event', code: 'server_error' },
    { name: 'TransientError', code: 'model_unavailable' },
  ],
];

for (const stream of [false, true]) {
  test.each(table)(`%j is %j after exactly one request (stream: ${stream})`, async (rule, expected) => {
    simulator.setFaults([rule]);
    const timeoutMs = expected.code === 'model_timeout' ? 1_000 : 5_000;
    const error = await failureOf(ask({ timeoutMs, ...(stream ? { onText: () => {} } : {}) }));
    expect(error).toMatchObject(expected);
    const told = JSON.stringify([error.message, error.stack, String(error.cause)]);
    expect(told).not.toMatch(/secret|\[simulated\]|another shape|Rinse|Sure!|sorry/);
    expect(simulator.calls()).toHaveLength(1);
  });
}

test.each<{ rule: FaultRule; stream: boolean; may: boolean }>([
  { rule: { fault: 'disconnect' }, stream: true, may: true },
  { rule: { fault: 'disconnect' }, stream: false, may: true },
  { rule: { fault: 'truncated_stream' }, stream: true, may: true },
  { rule: { fault: 'error_event', code: 'server_error' }, stream: true, may: true },
  { rule: { fault: 'server_error' }, stream: true, may: false },
  { rule: { fault: 'server_error' }, stream: false, may: false },
  { rule: { fault: 'rate_limit' }, stream: true, may: false },
])('$rule.fault (stream: $stream) may have been billed: $may', async ({ rule, stream, may }) => {
  simulator.setFaults([rule]);
  expect(perhapsPaid(await failureOf(ask(stream ? { onText: () => {} } : {})))).toBe(may);
});

test('a rejected key is told without the key', async () => {
  const error = await failureOf(ask({ key: 'sk-invalid-1' }));
  expect(error).toMatchObject({ code: 'model_auth_failed' });
  expect(error.message).not.toContain('sk-');
  expect(error.message).toContain('request req_');
});

test('a key that no header can carry is refused at once, and not quoted', () => {
  for (const key of ['', 'two words', 'sk-secret\n']) {
    const create = () => createOpenAiClient({ apiKey: key, timeoutMs: 1 });
    expect(create).toThrow(/^The API key of the model API must be printable ASCII/);
  }
});

test('an API that nobody serves is unavailable', async () => {
  const baseUrl = `http://127.0.0.1:${await freePort()}/v1`;
  expect(await failureOf(ask({ baseUrl }))).toMatchObject({ name: 'TransientError', code: 'model_unavailable' });
});

test.each([
  ['hang', false],
  ['hang', true],
  ['stall', false],
] as const)(
  'aborting during a %s (stream: %s) gives the reason and ends the HTTP call within a second',
  async (fault, stream) => {
    simulator.setFaults([{ fault }]);
    const machine = await watchMachine();
    const controller = new AbortController();
    const reason = new Error('the request was canceled');
    const asked = ask({ signal: controller.signal, ...(stream ? { onText: () => {} } : {}) });
    const outcome = asked.catch((error: unknown) => error);
    while (simulator.calls()[0]?.fault !== fault) await delay(1);
    const abortedAt = Date.now();
    controller.abort(reason);
    expect(await outcome).toBe(reason);
    while (simulator.calls()[0]?.durationMs === null) await delay(1);
    expect(await machine.ranMs(abortedAt, Date.now())).toBeLessThan(1_000);
    await machine.stop();
    expect(simulator.calls()).toMatchObject([{ aborted: true }]);
  },
);

test('aborting in the middle of a stream ends the HTTP call, and no more text comes', async () => {
  simulator.setFaults([{ fault: 'slow', delayMs: 4_000 }]);
  const controller = new AbortController();
  const reason = new Error('nobody listens any more');
  let heard = 0;
  const onText = () => {
    heard += 1;
    controller.abort(reason);
  };
  await expect(ask({ signal: controller.signal, onText })).rejects.toBe(reason);
  while (simulator.calls()[0]?.durationMs === null) await delay(1);
  expect(simulator.calls()).toMatchObject([{ aborted: true, status: 200 }]);
  expect(heard).toBe(1);
});

test('a signal that is aborted already makes no call', async () => {
  const reason = new Error('too late');
  await expect(ask({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(simulator.calls()).toEqual([]);
});
