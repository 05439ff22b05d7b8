import { expect, test } from '@jest/globals';
import { createLogger, createMetrics, type ModelBudgetOptions } from '@bunri/runtime';
import { z } from 'zod';
import { createModelLinks } from './model-links.ts';
import { defaultPrices, type Prices } from './prices.ts';

/** No call is made here, so that nothing but the names of the scripts reaches Redis. */
const redis = { defineCommand: () => {} } as unknown as ModelBudgetOptions['redis'];
const schema = z.object({ text: z.string() });

function linksOf({ fallbacks = 'none', prices = defaultPrices }: { fallbacks?: string; prices?: Prices } = {}) {
  return createModelLinks({
    settings: {
      OPENAI_API_KEY: 'sk-first',
      FALLBACK_API_KEY: 'sk-second',
      FALLBACK_BASE_URL: 'https://models.example.com/v1',
      MODEL_PRICES: prices,
      MODEL_LIMITS: {},
      REDIS_PREFIX: '{t}',
    },
    model: 'gpt-5',
    fallbacks,
    timeoutMs: 1_000,
    manner: (model) => (model === 'gpt-5' ? 'low' : undefined),
    buildCall: (text: string) => ({ instructions: 'Write.', text, schema, schemaName: 'text' }),
    redis,
    metrics: createMetrics({ app: 'test', processMetrics: false }),
    log: createLogger({ app: 'test', level: 'error', silent: true }),
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
