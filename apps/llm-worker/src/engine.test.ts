import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { defaultPrices } from '@bunri/engines';
import { stages, type Locale, type StageInput } from '@bunri/queue-contracts';
import {
  answerModels,
  closeRedis,
  connectConsumer,
  createKeys,
  createLogger,
  createMetrics,
  createResultCache,
  createSingleFlight,
  createSpending,
  dayInSeoul,
  lookUpRequest,
  StageAbort,
  type SpendingCaps,
} from '@bunri/runtime';
import { startModelApiSimulator, type FaultPlan } from '@bunri/testkit';
import { createGuidanceModels } from './engine.ts';
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
      createdAt: Date.now(),
      deadlineAt: Date.now() + 60_000,
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
async function setUp(faults: FaultPlan = [], caps: SpendingCaps = {}, answerMs = 0) {
  const latency = { vision: [0, 0], answer: [answerMs, answerMs] } as const;
  const simulator = await startModelApiSimulator({ latency, seed: 1, faults });
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
  // Nothing is paid for a request that has no open record.
  await redis.hset(createKeys(prefix).record(`req_${'0'.repeat(32)}`), 'status', 'running');
  closers.push(async () => await flights.close());
  const settings = {
    OPENAI_API_KEY: 'sk-test',
    OPENAI_BASE_URL: simulator.baseUrl,
    MODEL_PRICES: defaultPrices,
    MODEL_LIMITS: {},
    REDIS_PREFIX: prefix,
    VISION_MODEL: 'gpt-5',
    LLM_MODEL: 'gpt-4o-mini',
    LLM_FALLBACKS: 'rules',
    CONTEXT_TOKEN_BUDGET: 800,
  };
  const answeredBy = answerModels(settings);
  const handler = makeHandler({
    models: createGuidanceModels(settings, { redis, metrics, log }),
    rules: true,
    cache,
    flights,
    spending: createSpending({ redis, prefix, caps, metrics, log }),
    prices: defaultPrices,
    metrics,
    answeredBy,
  });
  const shown: string[] = [];
  const answer = async (
    locale: Locale,
    over: { controller?: AbortController; onText?: () => void; lastAttempt?: boolean } = {},
  ) => {
    const { controller = new AbortController(), onText, lastAttempt = false } = over;
    return await handler(inputIn(locale), {
      log,
      signal: controller.signal,
      jobId: 'job',
      lastAttempt,
      onAnswer: (readText) => {
        shown.push(readText());
        onText?.();
      },
    });
  };
  const statistics = async () => await redis.hgetall(`${prefix}:statistics:${dayInSeoul(Date.now())}`);
  return { answer, shown, simulator, cache, answeredBy, statistics, metrics };
}

test.each(['ko', 'en'] as const)('a classification and its rules become guidance in %s', async (locale) => {
  const { answer, shown, simulator } = await setUp([], {}, 600);
  const { output } = await answer(locale);
  expect(stages.llm.output.safeParse(output).error).toBeUndefined();
  expect(output.engine).toEqual({ provider: 'simulator', model: 'simulator/gpt-4o-mini', prompt_version: '2' });
  expect(output.guidance.steps).toEqual(
    texts[locale].rules.map((text, index) => ({ text, rule_ids: [`can/${index}`] })),
  );
  expect(output.guidance.sources).toHaveLength(2);
  expect(simulator.calls()).toMatchObject([{ kind: 'answer', model: 'gpt-4o-mini', stream: true, status: 200 }]);
  // The answer grew at its end alone, in several pieces, until it was whole.
  expect(new Set(shown).size).toBeGreaterThan(1);
  expect(shown.every((text) => output.guidance.answer.startsWith(text))).toBe(true);
  expect(shown.at(-1)).toBe(output.guidance.answer);
});

test('after an answer, the api finds the whole request, without its costs', async () => {
  const { answer, cache, simulator, answeredBy } = await setUp();
  const { output } = await answer('ko');
  const { question, locale } = inputIn('ko').request;
  const parts = { sha256: 'b'.repeat(64), question, locale, visionModel: answeredBy.vision, llmModel: answeredBy.llm };
  const nothing = { input_tokens: 0, output_tokens: 0, cost_usd: 0 };
  expect((await lookUpRequest(cache, parts))?.llm).toEqual({ ...output, usage: nothing });
  expect((await answer('ko')).cached).toBe(true);
  expect(simulator.calls()).toHaveLength(1);
});

test.each([
  { fault: 'garbage', name: 'TransientError', code: 'model_output_invalid' },
  { fault: 'truncated_stream', name: 'TransientError', code: 'model_unavailable' },
  { fault: 'refusal', name: 'PermanentError', code: 'model_refused' },
  { fault: 'rate_limit', name: 'DeferredError' },
] as const)('$fault ends as $name after a single call, and nothing is kept', async ({ fault, ...error }) => {
  const { answer, simulator } = await setUp([{ fault, times: 1 }]);
  await expect(answer('en')).rejects.toMatchObject(error);
  expect(simulator.calls()).toHaveLength(1);
  expect((await answer('en')).cached).toBe(false);
});

test('an abort in the middle of the answer ends the call of the model at once', async () => {
  const { answer, simulator } = await setUp([{ fault: 'stall' }]);
  const controller = new AbortController();
  const asked = answer('ko', { controller, onText: () => controller.abort(new StageAbort('deadline')) });
  await expect(asked).rejects.toMatchObject({ name: 'StageAbort', reason: 'deadline' });
  expect(simulator.calls()).toMatchObject([{ kind: 'answer', stream: true }]);
});

test('a quota that is used up is asked for once, and the rules answer, degraded and honest', async () => {
  const { answer, simulator, metrics } = await setUp([{ fault: 'quota' }]);
  for (const locale of ['ko', 'en', 'ko'] as const) {
    const { output } = await answer(locale);
    expect(stages.llm.output.safeParse(output).error).toBeUndefined();
    expect(output).toMatchObject({ degraded: 'model_quota_exhausted', engine: { provider: 'rules' } });
    expect(output.guidance.answer).toMatch(/언어 모델|language model/);
  }
  expect(simulator.calls()).toHaveLength(1);
  const counted = (await metrics.degradedAnswers.get()).values;
  expect(counted).toMatchObject([{ labels: { stage: 'llm', code: 'model_quota_exhausted' }, value: 3 }]);
});

test('an outage spends attempts until the breaker opens; then the rules answer without a call', async () => {
  const { answer, simulator } = await setUp([{ fault: 'server_error' }]);
  for (let i = 0; i < 5; i += 1) await expect(answer('en')).rejects.toMatchObject({ code: 'model_unavailable' });
  for (let i = 0; i < 5; i += 1) expect((await answer('en')).output.degraded).toBe('model_unavailable');
  expect(simulator.calls()).toHaveLength(5);
});

test('the last attempt of an outage ends with the rules, not with a failure', async () => {
  const { answer, simulator } = await setUp([{ fault: 'server_error' }]);
  expect((await answer('en', { lastAttempt: true })).output.degraded).toBe('model_unavailable');
  expect(simulator.calls()).toHaveLength(1);
});

test('a spending cap that is reached leaves the rules to answer, without a call', async () => {
  const { answer, simulator } = await setUp([], { ownerUsd: 0.000_001 });
  expect((await answer('ko')).output.degraded).toBe('spending_cap_reached');
  expect(simulator.calls()).toEqual([]);
});

test('an answer that was paid for and then refused is in the statistics of the day, once', async () => {
  const { answer, statistics } = await setUp([{ fault: 'garbage', times: 1 }]);
  await expect(answer('en')).rejects.toMatchObject({ code: 'model_output_invalid' });
  const refused = Number((await statistics())['tokens:llm:input']);
  expect(refused).toBeGreaterThan(100);
  const { output } = await answer('en');
  expect(Number((await statistics())['tokens:llm:input'])).toBe(refused + output.usage.input_tokens);
});
