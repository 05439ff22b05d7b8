import { expect, test } from '@jest/globals';
import type { InferenceEngine } from './engine.ts';
import type { Engine } from '@bunri/queue-contracts';
import { createMetrics, PermanentError, RateLimitedError, StageAbort, TransientError } from '@bunri/runtime';
import { patienceMs, startModelApiSimulator } from '@bunri/testkit';
import { z } from 'zod';
import { callMetered } from './metered-model.ts';
import { createOpenAiClient } from './openai-responses.ts';
import { openAiEngine } from './openai.ts';

const prices = { 'gpt-5': { input: 2, cachedInput: 1, output: 10 } };
const tokens = { input: 3_000, cachedInput: 1_000, output: 200 };

const dated = { provider: 'openai', model: 'gpt-5-dated' };

/** Answers with the words of the task, or fails with `error`. */
function fakeModel({ error, engine: answeredBy = dated }: { error?: Error; engine?: Engine } = {}) {
  const engine: InferenceEngine<string, string> = {
    model: 'gpt-5',
    load: () => Promise.resolve(),
    predict: (batch) =>
      error ? Promise.reject(error) : Promise.resolve(batch.map((value) => ({ value, tokens, engine: answeredBy }))),
    unload: () => Promise.resolve(),
    memoryBytes: () => 0,
  };
  return { engine, prices, metrics: createMetrics({ app: 'test', processMetrics: false }) };
}

async function counted(metrics: ReturnType<typeof createMetrics>, name: 'modelCalls' | 'modelTokens' | 'modelCost') {
  const { values } = await metrics[name].get();
  return values.map(({ labels, value }) => [labels, value]);
}

test('a call is counted under the configured name of the model, with its tokens and its price', async () => {
  const model = fakeModel();
  const result = await callMetered(model, 'a task', { signal: new AbortController().signal });
  expect(result).toMatchObject({ value: 'a task', engine: { model: 'gpt-5-dated' } });
  // 2,000 fresh and 1,000 cached tokens in, 200 out.
  expect(result.usage).toEqual({ input_tokens: 3_000, output_tokens: 200, cost_usd: expect.closeTo(0.007, 9) });
  expect(await counted(model.metrics, 'modelCalls')).toEqual([[{ model: 'gpt-5', outcome: 'ok' }, 1]]);
  expect(await counted(model.metrics, 'modelTokens')).toEqual([
    [{ model: 'gpt-5', direction: 'input' }, 3_000],
    [{ model: 'gpt-5', direction: 'cached_input' }, 1_000],
    [{ model: 'gpt-5', direction: 'output' }, 200],
  ]);
  expect(await counted(model.metrics, 'modelCost')).toEqual([[{ model: 'gpt-5' }, expect.closeTo(0.007, 9)]]);
});

test.each([
  { error: new PermanentError('model_refused', 'no'), outcome: 'model_refused' },
  { error: new TransientError('model_timeout', 'late'), outcome: 'model_timeout' },
  { error: new RateLimitedError(1_000, 'wait'), outcome: 'rate_limited' },
  { error: new Error('what?'), outcome: 'internal_error' },
])('a failed call is counted as $outcome, and its error goes on unchanged', async ({ error, outcome }) => {
  const model = fakeModel({ error });
  await expect(callMetered(model, 'a task', { signal: new AbortController().signal })).rejects.toBe(error);
  expect(await counted(model.metrics, 'modelCalls')).toEqual([[{ model: 'gpt-5', outcome }, 1]]);
  expect((await model.metrics.modelSeconds.get()).values.at(-1)).toMatchObject({ value: 1 });
});

test('a simulated call costs nothing, although its model has a price', async () => {
  const model = fakeModel({ engine: { provider: 'simulator', model: 'simulator/gpt-5' } });
  const { usage } = await callMetered(model, 'a task', { signal: new AbortController().signal });
  expect(usage).toEqual({ input_tokens: 3_000, output_tokens: 200, cost_usd: 0 });
});

test('a call that we ended ourselves is no failure of the model', async () => {
  const abort = new StageAbort('canceled');
  const model = fakeModel({ error: abort });
  await expect(callMetered(model, 'a task', { signal: AbortSignal.abort(abort) })).rejects.toBe(abort);
  expect(await counted(model.metrics, 'modelCalls')).toEqual([[{ model: 'gpt-5', outcome: 'aborted' }, 1]]);
});

test.each(['garbage', 'refusal', 'schema_mismatch'] as const)(
  'an answer that was paid for and refused (%s) is counted with its tokens, at every attempt',
  async (fault) => {
    const latency = { vision: [0, 0], answer: [0, 0] } as const;
    const simulator = await startModelApiSimulator({ latency, seed: 1, faults: [{ kind: 'any', fault }] });
    try {
      const metrics = createMetrics({ app: 'test', processMetrics: false });
      const engine = openAiEngine({
        client: createOpenAiClient({ apiKey: 'sk-test', baseUrl: simulator.baseUrl, timeoutMs: patienceMs }),
        model: 'gpt-5',
        buildCall: (text: string) => ({ instructions: '', text, schema: z.object({ n: z.number() }), schemaName: 'n' }),
      });
      const ask = async () =>
        await callMetered({ engine, prices, metrics }, 'a task', { signal: AbortSignal.timeout(5_000) });
      for (let attempt = 0; attempt < 2; attempt += 1) await expect(ask()).rejects.toThrow(/model/i);
      const output = (await metrics.modelTokens.get()).values.find(({ labels }) => labels.direction === 'output');
      expect(output?.value).toBeGreaterThanOrEqual(2);
    } finally {
      await simulator.stop();
    }
  },
);
