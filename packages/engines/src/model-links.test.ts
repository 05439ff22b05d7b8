import { afterEach, expect, test } from '@jest/globals';
import { createLogger, createMetrics, type ModelBudgetOptions, type ModelLimits } from '@bunri/runtime';
import { z } from 'zod';
import { localLink } from './local-link.ts';
import type { ChainLink } from './model-chain.ts';
import { createModelLinks } from './model-links.ts';
import { defaultPrices, type Prices } from './prices.ts';

/** No call is made here, so that nothing but the names of the scripts reaches Redis. */
const redis = { defineCommand: () => {} } as unknown as ModelBudgetOptions['redis'];
const schema = z.object({ text: z.string() });

interface Given {
  readonly model?: string;
  readonly key?: string | undefined;
  readonly local?: ChainLink<string, { text: string }>;
  readonly fallbacks?: string;
  readonly prices?: Prices;
  readonly limits?: Record<string, ModelLimits>;
}

const told: { asked: string; isFirst: boolean }[] = [];
const warned: unknown[] = [];
afterEach(() => void [told.splice(0), warned.splice(0)]);

function linksOf(given: Given = {}) {
  const { model = 'gpt-5', fallbacks = 'none', prices = defaultPrices, limits = {}, local } = given;
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  log.warn = ((...line: unknown[]) => void warned.push(line)) as unknown as typeof log.warn;
  return createModelLinks({
    settings: {
      OPENAI_API_KEY: 'key' in given ? given.key : 'sk-first',
      FALLBACK_API_KEY: 'sk-second',
      FALLBACK_BASE_URL: 'https://models.example.com/v1',
      MODEL_PRICES: prices,
      MODEL_LIMITS: limits,
      REDIS_PREFIX: '{t}',
    },
    model,
    fallbacks,
    local,
    timeoutMs: 1_000,
    manner: 'low',
    buildCall: (text: string, isFirst) => {
      told.push({ asked: text, isFirst });
      return { instructions: 'Write.', text, schema, schemaName: 'text' };
    },
    redis,
    metrics: createMetrics({ app: 'test', processMetrics: false }),
    log,
  });
}

test('the chain has the first choice and its fallbacks in order, each with an identity of its own', () => {
  const { chain } = linksOf({ fallbacks: 'primary:gpt-4o,fallback:gpt-4o,rules' });
  expect(chain.map(({ name }) => name)).toEqual(['primary:gpt-5', 'primary:gpt-4o', 'fallback:gpt-4o']);
  expect(chain.map(({ identity }) => JSON.parse(identity) as unknown)).toEqual([
    ['https://api.openai.com/v1', 'gpt-5', 'low'],
    ['https://api.openai.com/v1', 'gpt-4o', null],
    ['https://models.example.com/v1', 'gpt-4o', null],
  ]);
});

test('a model of the same name at another provider is not told what the first choice alone is', () => {
  const links = linksOf({ fallbacks: 'fallback:gpt-5' });
  for (const link of [...links.chain, links.forModel('gpt-4o')]) link.expect(link.name);
  expect(told).toEqual([
    { asked: 'primary:gpt-5', isFirst: true },
    { asked: 'fallback:gpt-5', isFirst: false },
    { asked: 'primary:gpt-4o', isFirst: false },
  ]);
  expect(JSON.parse(links.chain[1]?.identity ?? '')).toEqual(['https://models.example.com/v1', 'gpt-5', null]);
});

test('a limit that misses the models that are called, as by a slip of the pen, is warned of', () => {
  const limit = { requestsPerMinute: 100 };
  linksOf();
  linksOf({ limits: { 'gpt-5': limit, 'of-another-stage': limit } });
  expect(warned).toEqual([]);
  linksOf({ limits: { gpt5: limit }, fallbacks: 'primary:gpt-4o' });
  expect(warned).toEqual([
    [expect.stringContaining('MODEL_LIMITS'), { without_limit: ['gpt-5', 'gpt-4o'], limits_of_others: ['gpt5'] }],
  ]);
});

test('a model without a price is refused, with the name of the setting', () => {
  expect(() => linksOf().forModel('gpt-unheard-of')).toThrow(
    expect.objectContaining({
      name: 'PermanentError',
      code: 'model_request_rejected',
      message: expect.stringContaining('MODEL_PRICES'),
    }),
  );
});

test('the first choice is itself, and another model is made once, as long as there are not too many', () => {
  const names = Array.from({ length: 21 }, (_, i) => `m${i}`);
  const price = { input: 1, cachedInput: 1, output: 1 };
  const links = linksOf({ prices: Object.fromEntries(names.map((name) => [name, price])) });
  expect(links.forModel('gpt-5')).toBe(links.chain[0]);
  const [first, ...others] = names.map((name) => ({ name, link: links.forModel(name) }));
  for (const { name, link } of others) expect(links.forModel(name)).toBe(link);
  expect(links.forModel('m0')).not.toBe(first?.link);
});

const local = localLink<string, { text: string }>(
  {
    model: 'materials',
    load: async () => {},
    unload: async () => {},
    memoryBytes: () => 0,
    predict: (batch) =>
      Promise.resolve(
        batch.map(() => ({
          value: { text: 'glass' },
          engine: { provider: 'local', model: 'materials@1' },
          tokens: { input: 0, cachedInput: 0, output: 0 },
        })),
      ),
  },
  'head 1',
);

test('the local model stands last in a chain, or first without a key, a price or a limit', () => {
  expect(linksOf({ fallbacks: 'primary:gpt-4o,local', local }).chain.map(({ name }) => name)).toEqual([
    'primary:gpt-5',
    'primary:gpt-4o',
    'local:materials',
  ]);
  const links = linksOf({ model: 'local', key: undefined, prices: {}, local });
  expect(links.chain).toEqual([local]);
  expect(links.forModel('local')).toBe(local);
  linksOf({ model: 'local', limits: { 'of-another-stage': { requestsPerMinute: 1 } }, local });
  expect(warned).toEqual([]);
});

test('settings that name the local model where there is none are an error, not another model', () => {
  expect(() => linksOf({ model: 'local' })).toThrow(/local model/);
  expect(() => linksOf({ fallbacks: 'local' })).toThrow(/local model/);
});

test('without a key a replay that names a model is refused for good', () => {
  const refused = {
    name: 'PermanentError',
    code: 'model_request_rejected',
    message: expect.stringContaining('OPENAI_API_KEY'),
  };
  expect(() => linksOf({ model: 'local', key: undefined, local }).forModel('gpt-4o')).toThrow(
    expect.objectContaining(refused),
  );
});
