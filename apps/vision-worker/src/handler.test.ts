import { expect, test } from '@jest/globals';
import type { ChainLink } from '@bunri/engines';
import { catalogue, catalogueVersion } from '@bunri/knowledge';
import type { LookStage, Request, StageInput } from '@bunri/queue-contracts';
import {
  cacheKey,
  createLogger,
  createMetrics,
  PermanentError,
  promptVersions,
  type HandlerContext,
  type ResultCache,
  type SingleFlight,
} from '@bunri/runtime';
import type { VisionAnswer } from './classify.ts';
import { makeHandler } from './handler.ts';
import type { VisionTask } from './prompt.ts';

const image = new Uint8Array([0xff, 0xd8, 0xff]);
const answer: VisionAnswer = {
  item_id: catalogue.items[0]?.id ?? null,
  waste_category: 'recyclable',
  subcategory: null,
  item_name: 'bottle',
  confidence: 0.8,
  candidates: [],
  others: [],
  condition: {
    cap: 'on',
    rinsed: 'no',
    contamination: 'none',
    label: 'on',
    contents: 'empty',
    attachments: 'none',
    damage: 'none',
    size: 'bag',
    hazard: 'none',
    quantity: 'one',
  },
};

function inputOf(
  change: {
    id?: string;
    question?: string;
    locale?: 'ko' | 'en';
    sha256?: string;
    replay?: Request['replay'];
    models?: string[];
  } = {},
): StageInput<'vision'> {
  const sha256 = change.sha256 ?? 'a'.repeat(64);
  return {
    request: {
      id: change.id ?? `req_${'0'.repeat(32)}`,
      owner: 'owner',
      question: change.question ?? '이거 어떻게 버려요?',
      locale: change.locale ?? 'ko',
      source: { kind: 'upload', key: 'uploads/1', sha256: 'b'.repeat(64), sizeBytes: 3 },
      priority: 'interactive',
      createdAt: 0,
      deadlineAt: 60_000,
      ...(change.replay && { replay: change.replay }),
      ...(change.models && { models: change.models }),
    },
    preprocess: { sha256, key: `images/${sha256}.jpg`, width: 10, height: 10, sizeBytes: 3 },
  };
}

const context: HandlerContext = {
  log: createLogger({ app: 'test', level: 'error', silent: true }),
  signal: new AbortController().signal,
  jobId: 'job',
  lastAttempt: false,
  onAnswer: () => undefined,
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
const alone: Pick<SingleFlight, 'run'> = {
  run: async (_key, _requestId, look, work) => (await look()) ?? (await work(() => undefined)),
};

interface SetUp {
  readonly said?: VisionAnswer;
  readonly stored?: Uint8Array | null;
  /** What calls of the first choice throw. */
  readonly fails?: Error;
  readonly stage?: LookStage;
  /** Stands last in the chain, and is free as the local model is. */
  readonly local?: boolean;
}

/** A handler whose models always give `said`, with a fallback behind the first choice, and the log of what it did. */
function setUp({ said = answer, stored = image, fails, stage = 'vision', local = false }: SetUp = {}) {
  const done: string[] = [];
  const tasks: VisionTask[] = [];
  const link = (model: string, error?: Error): ChainLink<VisionTask, VisionAnswer> => ({
    name: `primary:${model}`,
    identity: model,
    expect: () => ({ input: 100, cachedInput: 0, output: 10, mostOutput: 10 }),
    breaker: {
      wasClosed: true,
      admit: async () => ({ admitted: true, call: { succeeded: async () => {}, failed: async () => {} } }),
    },
    budget: { admit: async () => ({ settle: async () => {}, giveBack: async () => {} }), pause: async () => {} },
    engine: {
      model,
      load: () => Promise.resolve(),
      predict: (batch) => {
        done.push(model);
        tasks.push(...batch);
        if (error) return Promise.reject(error);
        const tokens = { input: 100, cachedInput: 0, output: 10 };
        return Promise.resolve(
          batch.map(() => ({ value: said, tokens, engine: { provider: 'fake', model: 'dated' } })),
        );
      },
      unload: () => Promise.resolve(),
      memoryBytes: () => 0,
    },
  });
  const storage = {
    getBytes: (key: string) => {
      done.push(`read ${key}`);
      return Promise.resolve(stored);
    },
  };
  const price = { input: 1, cachedInput: 1, output: 1 };
  const prices = { 'gpt-5': price, 'gpt-4o': price, other: price, ...(local && { materials: price }) };
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const cache = memoryCache();
  const models = {
    chain: [
      link('gpt-5', fails),
      link('gpt-4o', local ? fails : undefined),
      ...(local ? [{ ...link('materials'), isFree: true }] : []),
    ] as const,
    forModel: (model: string) => link(model, fails),
  };
  const payers: string[] = [];
  const spending = {
    reserve: ({ owner }: { owner: string }) => {
      payers.push(owner);
      return Promise.resolve({ settle: async () => {} });
    },
  };
  const handle = makeHandler({
    stage,
    models,
    storage,
    cache,
    flights: alone,
    spending,
    prices,
    metrics,
  });
  return { done, tasks, cache, payers, handle };
}

test('the model sees photo and question in one call, and the code says who answered and for how much', async () => {
  const { handle, tasks } = setUp();
  const { output, cached } = await handle(inputOf(), context);
  expect(tasks).toEqual([{ image, question: '이거 어떻게 버려요?', locale: 'ko' }]);
  expect(cached).toBe(false);
  expect(output.classification.engine).toEqual({
    provider: 'fake',
    model: 'dated',
    prompt_version: promptVersions.vision,
  });
  expect(output.usage).toEqual({ input_tokens: 100, output_tokens: 10, cost_usd: expect.closeTo(0.00011, 9) });
});

test('the same photo and question are paid for once, and are not even read again', async () => {
  const { handle, done } = setUp();
  const first = await handle(inputOf(), context);
  const again = await handle(inputOf({ question: '  이거 어떻게  버려요? ' }), context);
  expect(done).toEqual([`read images/${'a'.repeat(64)}.jpg`, 'gpt-5']);
  expect(again).toEqual({
    cached: true,
    output: {
      classification: first.output.classification,
      usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
    },
  });
});

test.each([
  { other: 'question', change: { question: '뚜껑은요?' } },
  { other: 'language', change: { locale: 'en' as const } },
  { other: 'photo', change: { sha256: 'c'.repeat(64) } },
])('another $other is another call', async ({ change }) => {
  const { handle, tasks } = setUp();
  await handle(inputOf(), context);
  expect((await handle(inputOf(change), context)).cached).toBe(false);
  expect(tasks).toHaveLength(2);
});

test('a photo that is gone fails the request before any call is paid', async () => {
  const { handle, tasks } = setUp({ stored: null });
  await expect(handle(inputOf(), context)).rejects.toMatchObject({ name: 'PermanentError', code: 'image_missing' });
  expect(tasks).toEqual([]);
});

test('an answer outside the catalogue is not kept: the next attempt asks again', async () => {
  const { handle, tasks } = setUp({ said: { ...answer, item_id: 'moon-rock' } });
  for (const attempt of [1, 2]) {
    await expect(handle(inputOf(), context)).rejects.toMatchObject({ code: 'model_output_invalid' });
    expect(tasks).toHaveLength(attempt);
  }
});

test('another prompt or catalogue reuses nothing, since both versions are in the key', async () => {
  const { handle, cache } = setUp();
  const keys: string[] = [];
  cache.set = (_name, key) => Promise.resolve(void keys.push(key));
  await handle(inputOf({ question: 'A Can?' }), context);
  const decides = ['a'.repeat(64), 'a can?', 'ko', 'gpt-5', promptVersions.vision, catalogueVersion];
  expect(keys).toEqual([cacheKey(decides)]);
});

const quota = new PermanentError('model_quota_exhausted', 'The quota is used up.');

test("a fallback's classification says why the first choice did not make it, and never passes for the first choice's", async () => {
  const { handle, done, cache } = setUp({ fails: quota });
  const first = await handle(inputOf(), context);
  expect(first).toMatchObject({ cached: false, output: { degraded: 'model_quota_exhausted' } });
  const again = await handle(inputOf(), context);
  expect(again).toMatchObject({ cached: true, output: { degraded: 'model_quota_exhausted' } });
  // The first choice is asked again, the fallback is not paid again; the photo is read for the call alone.
  const photo = `read images/${'a'.repeat(64)}.jpg`;
  expect(done).toEqual([photo, 'gpt-5', 'gpt-4o', photo, 'gpt-5']);

  const recovered = setUp();
  Object.assign(recovered.cache, cache);
  const { output, cached } = await recovered.handle(inputOf(), context);
  expect([output.degraded, cached]).toEqual([undefined, false]);
});

test('a replay asks the model that it names, alone, finds its own answer again, and shares it with nobody', async () => {
  const replay = { of: `req_${'1'.repeat(32)}`, visionModel: 'other' };
  const { handle, done } = setUp();
  const models = () => done.filter((line) => !line.startsWith('read'));
  await handle(inputOf(), context);
  const mine = inputOf({ id: `req_${'2'.repeat(32)}`, replay });
  expect((await handle(mine, context)).cached).toBe(false);
  // As after a crash.
  expect((await handle(mine, context)).cached).toBe(true);
  expect((await handle(inputOf({ id: `req_${'3'.repeat(32)}`, replay }), context)).cached).toBe(false);
  expect((await handle(inputOf({ id: `req_${'4'.repeat(32)}`, replay: { of: replay.of } }), context)).cached).toBe(
    false,
  );
  expect(models()).toEqual(['gpt-5', 'other', 'other', 'gpt-5']);

  const failing = setUp({ fails: quota });
  await expect(failing.handle(inputOf({ replay }), context)).rejects.toBe(quota);
  expect(failing.done).not.toContain('gpt-4o');
});

test('a replay that names a model without a price for a later stage fails before anything is paid or read', async () => {
  const { handle, done } = setUp();
  const replay = { of: `req_${'1'.repeat(32)}`, visionModel: 'other', llmModel: 'gpt-unheard-of' };
  await expect(handle(inputOf({ replay }), context)).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'model_request_rejected',
    message: expect.stringContaining('gpt-unheard-of'),
  });
  expect(done).toEqual([]);
});

test("an operator's replay is not paid from the spending cap of the original's owner", async () => {
  const { handle, payers } = setUp();
  await handle(inputOf(), context);
  await handle(inputOf({ replay: { of: `req_${'1'.repeat(32)}` } }), context);
  expect(payers).toEqual(['owner', 'replay:']);
});

test('a request that names a model is looked at by it, and by the fallbacks where it cannot', async () => {
  const named = setUp();
  await named.handle(inputOf({ models: ['other'] }), context);
  expect(named.done).toContain('other');
  expect(named.done).not.toContain('gpt-5');
  const broken = setUp({ fails: quota });
  const { output } = await broken.handle(inputOf({ models: ['other'] }), context);
  expect(broken.done.filter((each) => !each.startsWith('read'))).toEqual(['other', 'gpt-4o']);
  expect(output.degraded).toBe('model_quota_exhausted');
});

test('the local model never stands in for a model beside which it looks itself', async () => {
  const alone = setUp({ fails: quota, local: true });
  await alone.handle(inputOf({ models: ['gpt-5'] }), context);
  expect(alone.done.at(-1)).toBe('materials');
  const beside = setUp({ fails: quota, local: true });
  await expect(beside.handle(inputOf({ models: ['gpt-5', 'local'] }), context)).rejects.toMatchObject({
    code: 'model_quota_exhausted',
  });
  expect(beside.done).not.toContain('materials');
});

test('on the queue of the local model its own engine looks, whatever else the request names', async () => {
  const { handle, done } = setUp({ stage: 'vision.local' });
  await handle(inputOf({ models: ['other', 'local'] }), context);
  // The first of the chain, which is the local one where that queue is served.
  expect(done).toContain('gpt-5');
  expect(done).not.toContain('other');
});
