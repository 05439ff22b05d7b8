import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { defaultPrices } from '@bunri/engines';
import { stages, type Locale, type StageInput } from '@bunri/queue-contracts';
import {
  closeRedis,
  connectConsumer,
  createLogger,
  createMetrics,
  createResultCache,
  createSingleFlight,
  lookUpRequest,
  StageAbort,
} from '@bunri/runtime';
import { startModelApiSimulator, type FaultPlan } from '@bunri/testkit';
import { createGuidanceEngine } from './engine.ts';
import { makeHandler } from './handler.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const texts = {
  ko: { item: '음료수 캔', question: '헹궈야 하나요?', rules: ['비우고 헹구세요.', '납작하게 눌러 내놓으세요.'] },
  en: { item: 'Drink can', question: 'Must I rinse it?', rules: ['Empty and rinse it.', 'Flatten it.'] },
};

function inputIn(locale: Locale): StageInput<'llm'> {
  const { item, question, rules } = texts[locale];
  const image = { sha256: 'a'.repeat(64), key: 'images/photo.jpg', width: 200, height: 150, sizeBytes: 1 };
  return {
    request: {
      id: `req_${'0'.repeat(32)}`,
      owner: 'owner',
      question,
      locale,
      source: { kind: 'upload', key: 'uploads/1', sha256: 'b'.repeat(64), sizeBytes: 3 },
      priority: 'interactive',
      createdAt: 0,
      deadlineAt: 60_000,
    },
    preprocess: image,
    vision: {
      classification: {
        waste_category: 'recyclable',
        subcategory: '금속캔',
        item_id: 'beverage-can',
        item_name: item,
        confidence: 0.9,
        condition: { cap: 'none', rinsed: 'no', contamination: 'light', label: 'none' },
        engine: { provider: 'simulator', model: 'simulator/gpt-5' },
      },
      usage: { input_tokens: 1, output_tokens: 1, cost_usd: 0 },
    },
    rag: {
      item_id: 'beverage-can',
      item_name: item,
      match: 'id',
      candidates: [],
      sentences: rules.map((text, index) => ({ rule_id: `can/${index}`, version: '2023', kind: 'step', text })),
      catalogue_version: 'v1',
      tokens: 20,
    },
  };
}

/** The handler as the app builds it, against a real Redis and a simulated model API. */
async function setUp(faults: FaultPlan = []) {
  const simulator = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [0, 0] }, seed: 1, faults });
  closers.push(async () => await simulator.stop());
  const prefix = `{t${randomUUID()}}`;
  const redis = connectConsumer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
  closers.push(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
    await closeRedis(redis);
  });
  const cache = createResultCache({ redis, prefix });
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const flights = createSingleFlight({ redis, prefix, stage: 'llm', metrics });
  closers.push(async () => await flights.close());
  const handler = makeHandler({
    engine: createGuidanceEngine({
      OPENAI_API_KEY: 'sk-test',
      OPENAI_BASE_URL: simulator.baseUrl,
      LLM_MODEL: 'gpt-4o-mini',
    }),
    cache,
    prices: defaultPrices,
    flights,
    metrics,
    visionModel: 'gpt-5',
  });
  const shown: string[] = [];
  const answer = async (locale: Locale, controller = new AbortController(), onText?: () => void) =>
    await handler(inputIn(locale), {
      log,
      signal: controller.signal,
      jobId: 'job',
      onAnswer: (textSoFar) => {
        shown.push(textSoFar);
        onText?.();
      },
    });
  return { answer, shown, simulator, cache };
}

test.each(['ko', 'en'] as const)('a classification and its rules become guidance in %s', async (locale) => {
  const { answer, shown, simulator } = await setUp();
  const { output } = await answer(locale);
  expect(stages.llm.output.safeParse(output).error).toBeUndefined();
  expect(output.engine).toEqual({ provider: 'simulator', model: 'simulator/gpt-4o-mini' });
  expect(output.guidance.steps).toEqual(
    texts[locale].rules.map((text, index) => ({ text, rule_ids: [`can/${index}`] })),
  );
  expect(output.guidance.sources).toHaveLength(2);
  expect(simulator.calls()).toMatchObject([{ kind: 'answer', model: 'gpt-4o-mini', stream: true, status: 200 }]);
  // The answer grew at its end alone, in several pieces, until it was whole.
  expect(new Set(shown).size).toBeGreaterThan(2);
  expect(shown.every((text) => output.guidance.answer.startsWith(text))).toBe(true);
  expect(shown.at(-1)).toBe(output.guidance.answer);
});

test('after an answer, the api finds the whole request, without its costs', async () => {
  const { answer, cache, simulator } = await setUp();
  const { output } = await answer('ko');
  const { question, locale } = inputIn('ko').request;
  const parts = { sha256: 'b'.repeat(64), question, locale, visionModel: 'gpt-5', llmModel: 'gpt-4o-mini' };
  const nothing = { input_tokens: 0, output_tokens: 0, cost_usd: 0 };
  expect((await lookUpRequest(cache, parts))?.llm).toEqual({ ...output, usage: nothing });
  expect((await answer('ko')).cached).toBe(true);
  expect(simulator.calls()).toHaveLength(1);
});

test.each([
  { fault: 'garbage', name: 'TransientError', code: 'model_output_invalid' },
  { fault: 'truncated_stream', name: 'TransientError', code: 'model_unavailable' },
  { fault: 'refusal', name: 'PermanentError', code: 'model_refused' },
  { fault: 'rate_limit', name: 'RateLimitedError' },
] as const)('$fault ends as $name after a single call, and nothing is kept', async ({ fault, ...error }) => {
  const { answer, simulator } = await setUp([{ fault, times: 1 }]);
  await expect(answer('en')).rejects.toMatchObject(error);
  expect(simulator.calls()).toHaveLength(1);
  expect((await answer('en')).cached).toBe(false);
});

test('an abort in the middle of the answer ends the call of the model at once', async () => {
  const { answer, simulator } = await setUp([{ fault: 'stall' }]);
  const controller = new AbortController();
  const asked = answer('ko', controller, () => controller.abort(new StageAbort('deadline')));
  await expect(asked).rejects.toMatchObject({ name: 'StageAbort', reason: 'deadline' });
  expect(simulator.calls()).toMatchObject([{ kind: 'answer', stream: true }]);
});
