import { expect, test } from '@jest/globals';
import type { InferenceEngine } from '@bunri/engines';
import { catalogue, catalogueVersion } from '@bunri/knowledge';
import type { StageInput } from '@bunri/queue-contracts';
import {
  cacheKey,
  createLogger,
  createMetrics,
  promptVersions,
  type HandlerContext,
  type ResultCache,
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
  condition: { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' },
};

function inputOf(change: { question?: string; locale?: 'ko' | 'en'; sha256?: string } = {}): StageInput<'vision'> {
  const sha256 = change.sha256 ?? 'a'.repeat(64);
  return {
    request: {
      id: `req_${'0'.repeat(32)}`,
      owner: 'owner',
      question: change.question ?? '이거 어떻게 버려요?',
      locale: change.locale ?? 'ko',
      source: { kind: 'upload', key: 'uploads/1', sha256: 'b'.repeat(64), sizeBytes: 3 },
      priority: 'interactive',
      createdAt: 0,
      deadlineAt: 60_000,
    },
    preprocess: { sha256, key: `images/${sha256}.jpg`, width: 10, height: 10, sizeBytes: 3 },
  };
}

const context: HandlerContext = {
  log: createLogger({ app: 'test', level: 'error', silent: true }),
  signal: new AbortController().signal,
  jobId: 'job',
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
const alone = { run: async <R>(_key: string, _requestId: string, work: () => Promise<R>) => await work() };

/** A handler whose model always gives `said`, and the log of what it did. */
function setUp({ said = answer, stored = image }: { said?: VisionAnswer; stored?: Uint8Array | null } = {}) {
  const done: string[] = [];
  const tasks: VisionTask[] = [];
  const engine: InferenceEngine<VisionTask, VisionAnswer> = {
    model: 'gpt-5',
    load: () => Promise.resolve(),
    predict: (batch) => {
      done.push('model');
      tasks.push(...batch);
      const tokens = { input: 100, cachedInput: 0, output: 10 };
      return Promise.resolve(batch.map(() => ({ value: said, tokens, engine: { provider: 'fake', model: 'dated' } })));
    },
    unload: () => Promise.resolve(),
    memoryBytes: () => 0,
  };
  const storage = {
    getBytes: (key: string) => {
      done.push(`read ${key}`);
      return Promise.resolve(stored);
    },
  };
  const prices = { 'gpt-5': { input: 1, cachedInput: 1, output: 1 } };
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const cache = memoryCache();
  return { done, tasks, cache, handle: makeHandler({ engine, storage, cache, flights: alone, prices, metrics }) };
}

test('the model sees photo and question in one call, and the code says who answered and for how much', async () => {
  const { handle, tasks } = setUp();
  const { output, cached } = await handle(inputOf(), context);
  expect(tasks).toEqual([{ image, question: '이거 어떻게 버려요?', locale: 'ko' }]);
  expect(cached).toBe(false);
  expect(output.classification.engine).toEqual({ provider: 'fake', model: 'dated' });
  expect(output.usage).toEqual({ input_tokens: 100, output_tokens: 10, cost_usd: expect.closeTo(0.00011, 9) });
});

test('the same photo and question are paid for once, and are not even read again', async () => {
  const { handle, done } = setUp();
  const first = await handle(inputOf(), context);
  const again = await handle(inputOf({ question: '  이거 어떻게  버려요? ' }), context);
  expect(done).toEqual([`read images/${'a'.repeat(64)}.jpg`, 'model']);
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
  const decides = ['a'.repeat(64), 'a can?', 'ko', 'gpt-5', promptVersions.vision, null, catalogueVersion];
  expect(keys).toEqual([cacheKey(decides)]);
});
