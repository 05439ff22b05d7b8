import { expect, test } from '@jest/globals';
import type { ChainLink } from '@bunri/engines';
import type { StageInput } from '@bunri/queue-contracts';
import {
  cacheKey,
  createLogger,
  createMetrics,
  lookUpRequest,
  PermanentError,
  promptVersions,
  type HandlerContext,
  type ResultCache,
} from '@bunri/runtime';
import type { GuidanceAnswer } from './guidance.ts';
import { makeHandler } from './handler.ts';
import type { GuidanceTask } from './prompt.ts';

const answer: GuidanceAnswer = {
  answer: '네, 헹궈 주세요.',
  steps: [
    { text: '비우고 헹구세요.', rule_ids: ['beverage-can/rinse'] },
    { text: '태우세요.', rule_ids: ['beverage-can/burn'] },
  ],
  missing: [],
  warnings: [],
};
/** Under whose names the api looks for a finished request. */
const answeredBy = { vision: 'gpt-5 with care', llm: 'gpt-4o-mini' };
const uploadSha256 = 'b'.repeat(64);
const upload = { kind: 'upload', key: 'uploads/1', sha256: uploadSha256, sizeBytes: 3 } as const;

const input: StageInput<'llm'> = {
  request: {
    id: `req_${'0'.repeat(32)}`,
    owner: 'owner',
    question: '헹궈야 하나요?',
    locale: 'ko',
    source: upload,
    priority: 'interactive',
    createdAt: 0,
    deadlineAt: 60_000,
  },
  preprocess: { sha256: 'a'.repeat(64), key: `images/${'a'.repeat(64)}.jpg`, width: 10, height: 10, sizeBytes: 3 },
  vision: {
    classification: {
      waste_category: 'recyclable',
      subcategory: '금속캔',
      item_id: 'beverage-can',
      item_name: '음료수 캔',
      confidence: 0.9,
      condition: { cap: 'none', rinsed: 'no', contamination: 'light', label: 'none' },
      engine: { provider: 'openai', model: 'gpt-5-dated' },
    },
    usage: { input_tokens: 5, output_tokens: 5, cost_usd: 0.5 },
  },
  rag: {
    item_id: 'beverage-can',
    item_name: '음료수 캔',
    match: 'id',
    candidates: [],
    sentences: [{ rule_id: 'beverage-can/rinse', version: '2023', kind: 'step', text: '내용물을 비우고 헹구세요.' }],
    catalogue_version: 'v1',
    tokens: 20,
  },
};

function memoryCache(): ResultCache {
  const entries = new Map<string, unknown>();
  return {
    get: (name, key, schema) => Promise.resolve(schema.safeParse(entries.get(`${name}:${key}`)).data ?? null),
    set: (name, key, value) => Promise.resolve(void entries.set(`${name}:${key}`, value)),
    removeStoredBefore: () => Promise.resolve(0),
  };
}

/** Nobody else asks. */
const alone = { run: async <R>(_key: string, _requestId: string, work: () => Promise<R>) => await work() };

interface SetUp {
  readonly said?: GuidanceAnswer;
  /** What calls of the first choice throw. */
  readonly fails?: Error;
  readonly rules?: boolean;
}

/**
 * A handler whose models write `said`, in two pieces, with a fallback behind the first choice; `shown` is what listeners
 * saw of it.
 */
function setUp({ said = answer, fails, rules = false }: SetUp = {}) {
  const tasks: GuidanceTask[] = [];
  const asked: string[] = [];
  const shown: string[] = [];
  const payers: string[] = [];
  const link = (model: string, error?: Error): ChainLink<GuidanceTask, GuidanceAnswer> => ({
    name: `primary:${model}`,
    identity: model,
    expect: () => ({ input: 100, cachedInput: 0, output: 10, mostOutput: 10 }),
    breaker: {
      admit: async () => ({ admitted: true, call: { succeeded: async () => {}, failed: async () => {} } }),
    },
    budget: { admit: async () => ({ settle: async () => {} }), pause: async () => {} },
    engine: {
      model,
      load: () => Promise.resolve(),
      predict: (batch, { onText }) => {
        asked.push(model);
        if (error) return Promise.reject(error);
        tasks.push(...batch);
        const json = JSON.stringify(said);
        for (const task of batch) for (const end of [15, json.length]) onText?.(task, json.slice(0, end));
        const tokens = { input: 100, cachedInput: 0, output: 10 };
        return Promise.resolve(
          batch.map(() => ({ value: said, tokens, engine: { provider: 'fake', model: 'dated' } })),
        );
      },
      unload: () => Promise.resolve(),
      memoryBytes: () => 0,
    },
  });
  const context: HandlerContext = {
    log: createLogger({ app: 'test', level: 'error', silent: true }),
    signal: new AbortController().signal,
    jobId: 'job',
    lastAttempt: false,
    onAnswer: (readText) => void shown.push(readText()),
  };
  const price = { input: 1, cachedInput: 1, output: 1 };
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const cache = memoryCache();
  const first = link('gpt-4o-mini', fails);
  const handler = makeHandler({
    models: {
      chain: rules ? [first] : [first, link('gpt-4o')],
      forModel: (model) => link(model, fails),
    },
    rules,
    cache,
    flights: alone,
    spending: {
      reserve: ({ owner }) => {
        payers.push(owner);
        return Promise.resolve({ settle: async () => {} });
      },
    },
    prices: { 'gpt-4o-mini': price, 'gpt-4o': price, other: price },
    metrics,
    answeredBy,
  });
  const handle = async (given: StageInput<'llm'>) => await handler(given, context);
  return { tasks, asked, shown, payers, metrics, cache, handle };
}

test('guidance has the supported steps alone, and counts the others', async () => {
  const { handle, metrics } = setUp();
  const { output, cached } = await handle(input);
  expect(cached).toBe(false);
  expect(output).toEqual({
    guidance: {
      ...answer,
      steps: [answer.steps[0]],
      sources: [{ rule_id: 'beverage-can/rinse', version: '2023' }],
    },
    engine: { provider: 'fake', model: 'dated', prompt_version: promptVersions.llm },
    usage: { input_tokens: 100, output_tokens: 10, cost_usd: expect.closeTo(0.00011, 9) },
    droppedSteps: 1,
  });
  expect((await metrics.droppedSteps.get()).values[0]?.value).toBe(1);
});

test('listeners see the text of the answer while it grows, and nothing of its JSON', async () => {
  const { handle, shown } = setUp();
  await handle(input);
  expect(shown).toEqual(['네, 헹', '네, 헹궈 주세요.']);
});

test('the same request is paid for once', async () => {
  const { handle, tasks, metrics } = setUp();
  const first = await handle(input);
  const again = await handle(input);
  expect(tasks).toHaveLength(1);
  expect(again).toEqual({
    cached: true,
    output: { ...first.output, usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 } },
  });
  expect((await metrics.droppedSteps.get()).values[0]?.value).toBe(1);
});

const { request, vision, rag } = input;
const { classification } = vision;
const [rule] = rag.sentences;

test.each([
  { other: 'question', change: { request: { ...request, question: '라벨은요?' } } },
  { other: 'language', change: { request: { ...request, locale: 'en' as const } } },
  { other: 'condition', change: { vision: { ...vision, classification: { ...classification, confidence: 0.5 } } } },
  { other: 'wording of a rule', change: { rag: { ...rag, sentences: rule ? [{ ...rule, text: '버리세요.' }] : [] } } },
])('another $other is another call', async ({ change }) => {
  const { handle, tasks } = setUp();
  await handle(input);
  expect((await handle({ ...input, ...change })).cached).toBe(false);
  expect(tasks).toHaveLength(2);
});

test('another prompt or model reuses nothing, since both are in the key', async () => {
  const { handle, cache } = setUp();
  const keys: string[] = [];
  cache.set = (name, key) => Promise.resolve(void (name === 'answer' && keys.push(key)));
  await handle(input);
  const { engine: _engine, ...seen } = classification;
  const { sha256 } = input.preprocess;
  const { catalogue_version: _version, ...rules } = rag;
  expect(keys).toEqual([cacheKey([sha256, '헹궈야 하나요?', 'ko', seen, rules, 'gpt-4o-mini', promptVersions.llm])]);
});

test('it does not matter which engine classified the photo', async () => {
  const { handle } = setUp();
  await handle(input);
  const other = { ...vision, classification: { ...classification, engine: { provider: 'azure', model: 'gpt-5-x' } } };
  expect((await handle({ ...input, vision: other })).cached).toBe(true);
});

test('a finished upload is kept for the api with the outputs of all stages', async () => {
  const { handle, cache } = setUp();
  const { output } = await handle(input);
  const parts = { sha256: uploadSha256, question: request.question, locale: request.locale };
  const kept = await lookUpRequest(cache, { ...parts, visionModel: answeredBy.vision, llmModel: answeredBy.llm });
  expect(kept).toMatchObject({ preprocess: input.preprocess, rag, vision: { classification } });
  expect(kept?.llm.guidance).toEqual(output.guidance);
});

test('an image behind a URL is not kept for the api, since it may change', async () => {
  const { handle, cache } = setUp();
  const names: string[] = [];
  cache.set = (name) => Promise.resolve(void names.push(name));
  await handle({ ...input, request: { ...request, source: { kind: 'url', url: 'https://example.com/a.jpg' } } });
  expect(names).toEqual(['answer']);
});

test('an answer that no rule supports is not kept: the next attempt asks again', async () => {
  const { handle, tasks } = setUp({ said: { ...answer, steps: [] } });
  for (const attempt of [1, 2]) {
    await expect(handle(input)).rejects.toMatchObject({ code: 'model_output_invalid' });
    expect(tasks).toHaveLength(attempt);
  }
});

test('another edition of the catalogue that says the same about the item is not paid for again', async () => {
  const { handle } = setUp();
  await handle(input);
  expect((await handle({ ...input, rag: { ...rag, catalogue_version: 'v2' } })).cached).toBe(true);
});

const quota = new PermanentError('model_quota_exhausted', 'The quota is used up.');
const cacheNames = (cache: ResultCache) => {
  const names: string[] = [];
  const set = cache.set.bind(cache);
  cache.set = async (name, key, value) => {
    names.push(name);
    await set(name, key, value);
  };
  return names;
};

test("a fallback's guidance is kept under its own name alone, and never for the api", async () => {
  const { handle, asked, cache } = setUp({ fails: quota });
  const names = cacheNames(cache);
  expect(await handle(input)).toMatchObject({ cached: false, output: { degraded: 'model_quota_exhausted' } });
  expect(await handle(input)).toMatchObject({ cached: true, output: { degraded: 'model_quota_exhausted' } });
  expect(asked).toEqual(['gpt-4o-mini', 'gpt-4o', 'gpt-4o-mini']);
  expect(names).toEqual(['answer']);
});

test('where no model may be asked, the rules answer, and that answer is kept nowhere', async () => {
  const { handle, cache } = setUp({ fails: quota, rules: true });
  const names = cacheNames(cache);
  expect(await handle(input)).toMatchObject({
    cached: false,
    output: {
      degraded: 'model_quota_exhausted',
      engine: { provider: 'rules', model: 'v1' },
      usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
      guidance: { steps: [{ text: '내용물을 비우고 헹구세요.', rule_ids: ['beverage-can/rinse'] }] },
    },
  });
  expect(names).toEqual([]);
});

test('guidance on what a fallback saw is not kept for the api', async () => {
  const { handle, cache } = setUp();
  const names = cacheNames(cache);
  await handle({ ...input, vision: { ...vision, degraded: 'model_timeout' } });
  expect(names).toEqual(['answer']);
});

test('a replay asks the model that it names, alone, finds its own answer again, and shares it with nobody', async () => {
  const replayed = (digit: string, llmModel?: string) => {
    const replay = { of: `req_${'9'.repeat(32)}`, ...(llmModel && { llmModel }) };
    return { ...input, request: { ...request, id: `req_${digit.repeat(32)}`, replay } };
  };
  const { handle, asked, cache } = setUp();
  await handle(input);
  const names = cacheNames(cache);
  expect((await handle(replayed('1', 'other'))).cached).toBe(false);
  // As after a crash.
  expect((await handle(replayed('1', 'other'))).cached).toBe(true);
  expect((await handle(replayed('2', 'other'))).cached).toBe(false);
  expect((await handle(replayed('3'))).cached).toBe(false);
  expect(asked).toEqual(['gpt-4o-mini', 'other', 'other', 'gpt-4o-mini']);
  expect(names).toEqual(['answer', 'answer', 'answer']);

  const failing = setUp({ fails: quota, rules: true });
  await expect(failing.handle(replayed('1', 'other'))).rejects.toBe(quota);
});

test("an operator's replay is not paid from the spending cap of the original's owner", async () => {
  const { handle, payers } = setUp();
  await handle(input);
  await handle({ ...input, request: { ...request, replay: { of: `req_${'9'.repeat(32)}` } } });
  expect(payers).toEqual(['owner', 'replay:']);
});
