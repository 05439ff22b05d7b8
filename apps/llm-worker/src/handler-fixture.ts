import type { ChainLink } from '@bunri/engines';
import type { StageInput, Usage } from '@bunri/queue-contracts';
import {
  createLogger,
  createMetrics,
  type HandlerContext,
  type HandlerResult,
  type Metrics,
  type ResultCache,
  type SingleFlight,
} from '@bunri/runtime';
import type { GuidanceAnswer } from './guidance.ts';
import { makeHandler } from './handler.ts';
import type { GuidanceTask } from './prompt.ts';

/** What a model writes that has one step too many. */
export const answer: GuidanceAnswer = {
  answer: '네, 헹궈 주세요.',
  steps: [
    { text: '비우고 헹구세요.', rule_ids: ['beverage-can/rinse'] },
    { text: '태우세요.', rule_ids: ['beverage-can/burn'] },
  ],
  missing: [],
  warnings: [],
};
/** Under whose names the api looks for a finished request. */
export const answeredBy = { vision: 'gpt-5 with care', llm: 'gpt-4o-mini' };
export const uploadSha256 = 'b'.repeat(64);
const upload = { kind: 'upload', key: 'uploads/1', sha256: uploadSha256, sizeBytes: 3 } as const;

export const input: StageInput<'llm'> = {
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

export function memoryCache(): ResultCache {
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
  /** What the models write, one after the other; the last for ever. */
  readonly said?: GuidanceAnswer | readonly GuidanceAnswer[];
  /** What calls of the first choice throw. */
  readonly fails?: Error;
  readonly rules?: boolean;
  /** Instead of an empty one. */
  readonly cache?: ResultCache;
  /** What calls of the first choice throw from the second on. */
  readonly failsLater?: Error;
}

/** What happened around the handler. */
interface Watched {
  readonly tasks: GuidanceTask[];
  /** Models, in the order of the calls. */
  readonly asked: string[];
  readonly shown: string[];
  readonly payers: string[];
  readonly settled: (Usage | undefined)[];
  readonly breakers: string[];
  readonly metrics: Metrics;
  readonly cache: ResultCache;
  readonly handle: (given: StageInput<'llm'>) => Promise<HandlerResult<'llm'>>;
}

/**
 * A handler whose models write `said`, in two pieces, with a fallback behind the first choice; `shown` is what listeners
 * saw of it.
 */
export function setUp({ said = answer, fails, failsLater, rules = false, cache = memoryCache() }: SetUp = {}): Watched {
  const written = [said].flat();
  const tasks: GuidanceTask[] = [];
  const asked: string[] = [];
  const shown: string[] = [];
  const payers: string[] = [];
  const settled: (Usage | undefined)[] = [];
  const breakers: string[] = [];
  const link = (model: string, error?: Error): ChainLink<GuidanceTask, GuidanceAnswer> => ({
    name: `primary:${model}`,
    identity: model,
    expect: () => ({ input: 100, cachedInput: 0, output: 10, mostOutput: 10 }),
    breaker: {
      wasClosed: true,
      admit: async () => ({
        admitted: true,
        call: { succeeded: async () => void breakers.push('ok'), failed: async () => void breakers.push('failed') },
      }),
    },
    budget: { admit: async () => ({ settle: async () => {}, giveBack: async () => {} }), pause: async () => {} },
    engine: {
      model,
      load: () => Promise.resolve(),
      predict: (batch, { onText }) => {
        asked.push(model);
        const failure = error ?? (tasks.length > 0 && model === 'gpt-4o-mini' ? failsLater : undefined);
        if (failure) return Promise.reject(failure);
        const value = written[Math.min(tasks.length, written.length - 1)] ?? answer;
        tasks.push(...batch);
        const json = JSON.stringify(value);
        for (const task of batch) for (const end of [15, json.length]) onText?.(task, json.slice(0, end));
        const tokens = { input: 100, cachedInput: 0, output: 10 };
        return Promise.resolve(batch.map(() => ({ value, tokens, engine: { provider: 'fake', model: 'dated' } })));
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
        return Promise.resolve({ settle: async (paid) => void settled.push(paid) });
      },
    },
    prices: { 'gpt-4o-mini': price, 'gpt-4o': price, other: price },
    metrics,
    answeredBy,
  });
  const handle = async (given: StageInput<'llm'>) => await handler(given, context);
  return { tasks, asked, shown, payers, settled, breakers, metrics, cache, handle };
}
