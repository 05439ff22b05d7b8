import { expect, test } from '@jest/globals';
import { fallbackSettings, parseConfig } from '@bunri/runtime';
import { z } from 'zod';
import { checkFallbacks, hasModelKey, missingModelKey, readFallbacks } from './fallback-setting.ts';
import { priceSetting } from './price-setting.ts';

const schema = z
  .object({
    FALLBACK_API_KEY: z.string().optional(),
    FALLBACK_BASE_URL: z.string().optional(),
    MODEL_PRICES: priceSetting,
    LLM_MODEL: z.string().default('gpt-4o-mini'),
    LLM_FALLBACKS: fallbackSettings.LLM_FALLBACKS,
    VISION_FALLBACKS: fallbackSettings.VISION_FALLBACKS,
  })
  .superRefine(checkFallbacks('LLM_FALLBACKS', 'LLM_MODEL'));

const second = { FALLBACK_API_KEY: 'key', FALLBACK_BASE_URL: 'https://models.example.com/v1' };
const priced = { MODEL_PRICES: '{"qwen2.5-vl:7b":{"input":0,"cachedInput":0,"output":0}}' };

test('a list names providers and models in order, and the rules last', () => {
  expect(readFallbacks('primary:gpt-4o,fallback:qwen2.5-vl:7b,rules')).toEqual({
    models: [
      { provider: 'primary', model: 'gpt-4o' },
      { provider: 'fallback', model: 'qwen2.5-vl:7b' },
    ],
    local: false,
    rules: true,
  });
  expect(readFallbacks('primary:local,local')).toEqual({
    models: [{ provider: 'primary', model: 'local' }],
    local: true,
    rules: false,
  });
  expect(readFallbacks('none')).toEqual({ models: [], local: false, rules: false });
});

test('without settings the rules stand in for the language model, and nothing for vision', () => {
  expect(parseConfig(schema, {})).toMatchObject({ LLM_FALLBACKS: 'rules', VISION_FALLBACKS: 'none' });
});

test('a chain over two providers is accepted when both are given and its models are priced', () => {
  const LLM_FALLBACKS = 'primary:gpt-4o,fallback:qwen2.5-vl:7b';
  expect(parseConfig(schema, { ...second, ...priced, LLM_FALLBACKS })).toMatchObject({ LLM_FALLBACKS });
});

test.each([
  ['LLM_FALLBACKS', 'a provider that is not given', { ...priced, LLM_FALLBACKS: 'fallback:qwen2.5-vl:7b' }],
  ['LLM_FALLBACKS', 'a model without a price', { LLM_FALLBACKS: 'primary:gpt-unheard-of' }],
  ['LLM_FALLBACKS', 'the first choice once more', { LLM_FALLBACKS: 'primary:gpt-4o-mini' }],
  ['LLM_FALLBACKS', 'rules before a model', { LLM_FALLBACKS: 'rules,primary:gpt-4o' }],
  ['LLM_FALLBACKS', 'a provider of another name', { LLM_FALLBACKS: 'azure:gpt-4o' }],
  ['LLM_FALLBACKS', 'a model behind the rules', { LLM_MODEL: 'rules', LLM_FALLBACKS: 'primary:gpt-4o' }],
  ['VISION_FALLBACKS', 'rules, which cannot see', { VISION_FALLBACKS: 'rules' }],
  ['VISION_FALLBACKS', 'the local model before another', { VISION_FALLBACKS: 'local,primary:gpt-4o' }],
  ['LLM_FALLBACKS', 'the local model, which cannot write', { LLM_FALLBACKS: 'local' }],
  ['FALLBACK_BASE_URL', 'a key without its provider', { FALLBACK_API_KEY: 'key' }],
  ['FALLBACK_API_KEY', 'a provider without its key', { FALLBACK_BASE_URL: 'https://models.example.com/v1' }],
])('%s is refused for %s', (setting, _, env) => {
  expect(() => parseConfig(schema, env)).toThrow(new RegExp(`^  ${setting}: `, 'm'));
});

const keyed = z
  .object({
    REDIS_URL: z.string(),
    OPENAI_API_KEY: z.string().optional(),
    VISION_MODEL: z.string().default('gpt-5'),
    VISION_FALLBACKS: fallbackSettings.VISION_FALLBACKS,
  })
  .refine(hasModelKey('VISION_MODEL', 'VISION_FALLBACKS'), missingModelKey);

test.each([
  ['the default', {}, true],
  ['a model behind the local one', { VISION_MODEL: 'local', VISION_FALLBACKS: 'primary:gpt-4o' }, true],
  ['a model before the local one', { VISION_FALLBACKS: 'local' }, true],
  ['the local model alone', { VISION_MODEL: 'local' }, false],
  ['another provider behind the local model', { VISION_MODEL: 'local', VISION_FALLBACKS: 'fallback:gpt-4o' }, false],
])('whether a key is needed for %s is told together with every other problem', (_what, env, isNeeded) => {
  let told = '';
  try {
    parseConfig(keyed, env);
  } catch (error) {
    told = String(error);
  }
  expect(told).toContain('REDIS_URL: is required');
  expect(told.includes('OPENAI_API_KEY: is required')).toBe(isNeeded);
});
