import { expect, test } from '@jest/globals';
import { parseConfig } from '@bunri/runtime';
import { configSchema } from './config.ts';

const required = { REDIS_URL: 'redis://localhost:6379', OPENAI_API_KEY: 'sk-test' };

test('with the required settings alone, the defaults are used', () => {
  const config = parseConfig(configSchema, required);
  expect(config).toMatchObject({ LLM_MODEL: 'gpt-4o-mini', VISION_MODEL: 'gpt-5' });
  expect(config.MODEL_PRICES).toHaveProperty('gpt-4o-mini');
});

test('every problem is named at once', () => {
  expect(() => parseConfig(configSchema, { MODEL_PRICES: '{oops' })).toThrow(
    /REDIS_URL: is required[^]*MODEL_PRICES: must be JSON[^]*OPENAI_API_KEY: is required/,
  );
});

test('given prices are added to the built-in ones', () => {
  const mine = { input: 1, cachedInput: 0.5, output: 2 };
  const { MODEL_PRICES } = parseConfig(configSchema, { ...required, MODEL_PRICES: JSON.stringify({ mine }) });
  expect(MODEL_PRICES).toMatchObject({ mine, 'gpt-4o-mini': expect.anything() });
});

test('guidance from the rules alone needs no key, and no model stands behind it', () => {
  const { OPENAI_API_KEY: _key, ...keyless } = required;
  expect(parseConfig(configSchema, { ...keyless, LLM_MODEL: 'rules' })).toMatchObject({ LLM_MODEL: 'rules' });
  const behind = { LLM_MODEL: 'rules', LLM_FALLBACKS: 'primary:gpt-4o' };
  expect(() => parseConfig(configSchema, { ...required, ...behind })).toThrow(
    /LLM_FALLBACKS: names models behind the rules/,
  );
});
