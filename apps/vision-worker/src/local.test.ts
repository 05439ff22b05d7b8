import { afterEach, expect, test } from '@jest/globals';
import type { Chain, ChainLink, InferenceEngine } from '@bunri/engines';
import type { MaterialEstimate } from '@bunri/local-vision';
import type { StageInput } from '@bunri/queue-contracts';
import {
  createLogger,
  createMetrics,
  PermanentError,
  TransientError,
  type HandlerContext,
  type ResultCache,
} from '@bunri/runtime';
import type { VisionAnswer } from './classify.ts';
import { makeHandler } from './handler.ts';
import { knownMaterials } from '@bunri/knowledge';
import { localVisionLink } from './local.ts';
import type { VisionTask } from './prompt.ts';

const image = Uint8Array.of(0xff, 0xd8, 0xff);
const seen: MaterialEstimate = {
  materials: knownMaterials.map((material) => ({ material, probability: material === 'glass' ? 0.9 : 0.01 })),
  familiarity: 0.4,
};

const asked: Uint8Array[] = [];
afterEach(() => void asked.splice(0));

/** A local model that always sees the same, or always fails. */
function fakeModel(fails?: Error): InferenceEngine<Uint8Array, MaterialEstimate> {
  return {
    model: 'materials',
    load: async () => {},
    unload: async () => {},
    memoryBytes: () => 1,
    predict: (batch) => {
      asked.push(...batch);
      if (fails) return Promise.reject(fails);
      const tokens = { input: 0, cachedInput: 0, output: 0 };
      const engine = { provider: 'local', model: 'materials@1' };
      return Promise.resolve(batch.map(() => ({ value: seen, engine, tokens })));
    },
  };
}

const context: HandlerContext = {
  log: createLogger({ app: 'test', level: 'error', silent: true }),
  signal: new AbortController().signal,
  jobId: 'job',
  lastAttempt: true,
  onAnswer: () => undefined,
};

const input = (question: string): StageInput<'vision'> => ({
  request: {
    id: `req_${'0'.repeat(32)}`,
    owner: 'owner',
    question,
    locale: 'ko',
    source: { kind: 'upload', key: 'uploads/1', sha256: 'b'.repeat(64), sizeBytes: 3 },
    priority: 'interactive',
    createdAt: Date.now(),
    deadlineAt: Date.now() + 60_000,
  },
  preprocess: { sha256: 'a'.repeat(64), key: 'images/a.jpg', width: 10, height: 10, sizeBytes: 3 },
});

type Link = ChainLink<VisionTask, VisionAnswer>;

/** A remote model that nobody can pay for any more, or that is down. */
function remote(fails: Error): Link {
  return {
    name: 'primary:gpt-5',
    identity: 'gpt-5',
    expect: () => ({ input: 1, cachedInput: 0, output: 1, mostOutput: 1 }),
    breaker: {
      wasClosed: true,
      admit: async () => ({ admitted: true, call: { succeeded: async () => {}, failed: async () => {} } }),
    },
    budget: { admit: async () => ({ settle: async () => {}, giveBack: async () => {} }), pause: async () => {} },
    engine: {
      model: 'gpt-5',
      load: async () => {},
      unload: async () => {},
      memoryBytes: () => 0,
      predict: () => Promise.reject(fails),
    },
  };
}

function setUp(chain: Chain<VisionTask, VisionAnswer>) {
  const entries = new Map<string, unknown>();
  const cache: ResultCache = {
    get: (name, key, schema) => Promise.resolve(schema.safeParse(entries.get(`${name}:${key}`)).data ?? null),
    set: (name, key, value) => Promise.resolve(void entries.set(`${name}:${key}`, value)),
    removeStoredBefore: () => Promise.resolve(0),
  };
  const reserved: number[] = [];
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const handle = makeHandler({
    stage: 'vision',
    models: { chain, forModel: () => chain[0] },
    storage: { getBytes: () => Promise.resolve(image) },
    cache,
    flights: { run: async (_key, _id, look, work) => (await look()) ?? (await work(() => undefined)) },
    spending: {
      reserve: ({ usd }) => {
        reserved.push(usd);
        return Promise.resolve({ settle: async () => {} });
      },
    },
    // The local model has no price and needs none.
    prices: { 'gpt-5': { input: 1, cachedInput: 1, output: 1 } },
    metrics,
  });
  return { handle, reserved, metrics, keys: () => [...entries.keys()] };
}

test('the local model alone classifies a photo for nothing, says who it is, and is asked once', async () => {
  const { handle, reserved } = setUp([localVisionLink(fakeModel(), 'head 1')]);
  const { output } = await handle(input('유리병이에요'), context);
  expect(output).toMatchObject({
    classification: { item_id: 'glass-bottle', confidence: 0.9, condition: { rinsed: 'unknown' } },
    usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
  });
  // No prompt made it, so that none is named.
  expect(output.classification.engine).toEqual({ provider: 'local', model: 'materials@1' });
  expect(output.degraded).toBeUndefined();
  expect(reserved).toEqual([0]);
  expect((await handle(input('유리병이에요'), context)).cached).toBe(true);
  expect(asked).toEqual([image]);
});

test.each([
  ['its quota is used up', new PermanentError('model_quota_exhausted', 'no quota')],
  ['it is down', new TransientError('model_unavailable', 'down')],
])('the local model stands in for a remote one when %s, and the answer says so', async (_when, error) => {
  const { handle, metrics } = setUp([remote(error), localVisionLink(fakeModel(), 'head 1')]);
  const { output } = await handle(input('?'), context);
  expect(output).toMatchObject({
    degraded: error.code,
    classification: { item_id: null, subcategory: '유리병', engine: { provider: 'local' } },
    usage: { cost_usd: 0 },
  });
  expect((await metrics.degradedAnswers.get()).values).toMatchObject([
    { labels: { stage: 'vision', code: error.code }, value: 1 },
  ]);
});

test('a failure of the local model costs nothing either, and is the error of the stage', async () => {
  const error = new TransientError('engine_out_of_memory', 'no memory');
  const { handle, reserved } = setUp([localVisionLink(fakeModel(error), 'head 1')]);
  await expect(handle(input('?'), context)).rejects.toBe(error);
  expect(reserved).toEqual([0]);
});

test('the answers of another head are other answers', async () => {
  const keys = await Promise.all(
    ['head 1', 'head 2'].map(async (identity) => {
      const { handle, keys: kept } = setUp([localVisionLink(fakeModel(), identity)]);
      await handle(input('?'), context);
      return kept().join();
    }),
  );
  expect(new Set(keys).size).toBe(2);
});
