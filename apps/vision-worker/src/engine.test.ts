import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { defaultPrices } from '@bunri/engines';
import { itemById } from '@bunri/knowledge';
import { stages, type Locale } from '@bunri/queue-contracts';
import {
  closeRedis,
  connectConsumer,
  createKeys,
  createLogger,
  createMetrics,
  createResultCache,
  createSingleFlight,
  createSpending,
  createStorage,
  StageAbort,
} from '@bunri/runtime';
import { drawSamplePhoto, startModelApiSimulator, type FaultPlan } from '@bunri/testkit';
import { createVisionModels } from './engine.ts';
import { makeHandler } from './handler.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** The handler as the app builds it, with a stored photo, against a real Redis and S3 and a simulated model API. */
async function setUp(faults: FaultPlan = []) {
  const simulator = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [0, 0] }, seed: 1, faults });
  const second = await startModelApiSimulator({ latency: { vision: [0, 0], answer: [0, 0] }, seed: 2 });
  closers.push(async () => await Promise.all([simulator.stop(), second.stop()]).then(() => undefined));

  const prefix = `{t${randomUUID()}}`;
  const redis = connectConsumer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
  closers.push(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
    await closeRedis(redis);
  });

  const storage = createStorage({
    bucket: `vision-${randomUUID()}`,
    region: process.env['S3_REGION'] ?? '',
    endpoint: process.env['S3_ENDPOINT'],
    accessKeyId: process.env['S3_ACCESS_KEY_ID'],
    secretAccessKey: process.env['S3_SECRET_ACCESS_KEY'],
  });
  closers.push(() => storage.close());
  const photo = await drawSamplePhoto({ width: 200, height: 150 });
  await storage.createBucket();
  await storage.put('images/photo.jpg', photo, 'image/jpeg');

  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const settings = {
    OPENAI_API_KEY: 'sk-test',
    OPENAI_BASE_URL: simulator.baseUrl,
    FALLBACK_API_KEY: 'sk-second',
    FALLBACK_BASE_URL: second.baseUrl,
    MODEL_PRICES: defaultPrices,
    MODEL_LIMITS: {},
    REDIS_PREFIX: prefix,
    VISION_MODEL: 'gpt-5',
    VISION_REASONING_EFFORT: 'low' as const,
    VISION_FALLBACKS: 'fallback:gpt-4o',
  };
  const models = createVisionModels(settings, { redis, metrics, log });
  const spending = createSpending({ redis, prefix, caps: {}, metrics, log });
  const cache = createResultCache({ redis, prefix, metrics });
  const flights = createSingleFlight({ redis, prefix, stage: 'vision', metrics });
  // Nothing is paid for a request that has no open record.
  await redis.hset(createKeys(prefix).record(`req_${'0'.repeat(32)}`), 'status', 'running');
  closers.push(async () => await flights.close());
  const handler = makeHandler({
    stage: 'vision',
    models,
    storage,
    cache,
    flights,
    spending,
    prices: defaultPrices,
    metrics,
  });

  const ask = async (question: string, locale: Locale, signal = new AbortController().signal, lastAttempt = false) => {
    const request = {
      id: `req_${'0'.repeat(32)}`,
      owner: 'owner',
      question,
      locale,
      source: { kind: 'url', url: 'https://example.com/photo.jpg' } as const,
      priority: 'interactive' as const,
      createdAt: Date.now(),
      deadlineAt: Date.now() + 60_000,
    };
    const preprocess = { sha256: 'a'.repeat(64), key: 'images/photo.jpg', width: 200, height: 150, sizeBytes: 1 };
    return await handler(
      { request, preprocess },
      { log, signal, jobId: 'job', lastAttempt, onAnswer: () => undefined },
    );
  };
  return { ask, simulator, second, metrics };
}

test.each([
  { locale: 'ko', question: '영수증은 어떻게 버려요?' },
  { locale: 'en', question: 'Where does this receipt go?' },
] as const)('a photo and a question in $locale become a classification that the stage accepts', async (given) => {
  const { ask, simulator } = await setUp();
  const { output } = await ask(given.question, given.locale);
  expect(stages.vision.output.safeParse(output).error).toBeUndefined();
  expect(output.classification).toMatchObject({
    item_id: 'receipt',
    item_name: itemById('receipt')?.names[given.locale],
    engine: { provider: 'simulator', model: 'simulator/gpt-5' },
  });
  // Instructions and catalogue, and the photo.
  expect(output.usage.input_tokens).toBeGreaterThan(2_000);
  expect(output.usage.cost_usd).toBe(0);
  expect(simulator.calls()).toMatchObject([{ kind: 'vision', model: 'gpt-5', stream: false, status: 200 }]);
});

test('a second question is served from the prefix cache, the same question from ours', async () => {
  const { ask, simulator, metrics } = await setUp();
  await ask('캔?', 'ko');
  await ask('유리병?', 'ko');
  const tokens = (await metrics.modelTokens.get()).values;
  expect(tokens.find(({ labels }) => labels['direction'] === 'cached_input')?.value).toBeGreaterThan(1_024);
  expect((await ask('유리병?', 'ko')).cached).toBe(true);
  expect(simulator.calls()).toHaveLength(2);
});

test.each([
  { fault: 'garbage', name: 'TransientError', code: 'model_output_invalid' },
  { fault: 'schema_mismatch', name: 'TransientError', code: 'model_output_invalid' },
  { fault: 'refusal', name: 'PermanentError', code: 'model_refused' },
  { fault: 'server_error', name: 'TransientError', code: 'model_unavailable' },
] as const)('$fault ends as $code after a single call, and nothing is kept', async ({ fault, ...error }) => {
  const { ask, simulator } = await setUp([{ fault, times: 1 }]);
  await expect(ask('캔?', 'ko')).rejects.toMatchObject(error);
  expect(simulator.calls()).toHaveLength(1);
  expect((await ask('캔?', 'ko')).cached).toBe(false);
});

test('an abort ends the call of the model at once', async () => {
  const { ask, simulator } = await setUp([{ fault: 'hang' }]);
  const controller = new AbortController();
  const asked = ask('캔?', 'ko', controller.signal);
  while (simulator.calls().length === 0) await delay(5);
  controller.abort(new StageAbort('canceled'));
  await expect(asked).rejects.toMatchObject({ name: 'StageAbort', reason: 'canceled' });
  while (simulator.calls()[0]?.durationMs === null) await delay(5);
  expect(simulator.calls()[0]?.aborted).toBe(true);
});

const never = new AbortController().signal;

test('a quota that is used up is asked for once: the second provider answers, and later questions go to it at once', async () => {
  const { ask, simulator, second, metrics } = await setUp([{ fault: 'quota' }]);
  for (const question of ['캔?', '병?', '종이?']) {
    expect((await ask(question, 'ko')).output).toMatchObject({
      degraded: 'model_quota_exhausted',
      classification: { engine: { model: 'simulator/gpt-4o' } },
    });
  }
  expect([simulator.calls().length, second.calls().length]).toEqual([1, 3]);
  expect((await metrics.breakerState.get()).values).toContainEqual({ labels: { model: 'primary:gpt-5' }, value: 2 });
});

test('an outage spends attempts, falls back on the last one, and after five failures the first choice is not called', async () => {
  const { ask, simulator, second } = await setUp([{ fault: 'server_error' }]);
  const outcomes: unknown[] = [];
  for (const lastAttempt of [false, false, false, true]) {
    outcomes.push(
      await ask('캔?', 'ko', never, lastAttempt).then(
        ({ output }) => output.degraded,
        (error: Error) => error.name,
      ),
    );
  }
  expect(outcomes).toEqual(['TransientError', 'TransientError', 'TransientError', 'model_unavailable']);
  await expect(ask('병?', 'ko')).rejects.toMatchObject({ code: 'model_unavailable' });
  for (const question of ['종이?', '비닐?', '유리?']) expect((await ask(question, 'ko')).output.degraded).toBeDefined();
  expect([simulator.calls().length, second.calls().length]).toEqual([5, 4]);
});

test('only the first choice is told how long to think', async () => {
  const { ask, second } = await setUp([{ fault: 'quota' }]);
  await ask('캔?', 'ko');
  expect(second.calls()).toMatchObject([{ model: 'gpt-4o', status: 200 }]);
});
