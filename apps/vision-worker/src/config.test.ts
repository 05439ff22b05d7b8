import { expect, test } from '@jest/globals';
import { parseConfig } from '@bunri/runtime';
import { configSchema } from './config.ts';

const required = { REDIS_URL: 'redis://localhost:6379', S3_BUCKET: 'photos', OPENAI_API_KEY: 'sk-test' };

test('with the required settings alone, the defaults are used', () => {
  const config = parseConfig(configSchema, required);
  expect(config).toMatchObject({ VISION_MODEL: 'gpt-5', VISION_REASONING_EFFORT: undefined });
  expect(config.MODEL_PRICES).toHaveProperty('gpt-5');
});

test('every problem is named at once', () => {
  const wrong = { VISION_REASONING_EFFORT: 'enormous', MODEL_PRICES: '{oops' };
  expect(() => parseConfig(configSchema, wrong)).toThrow(
    /REDIS_URL: is required[^]*S3_BUCKET: is required[^]*MODEL_PRICES: must be JSON[^]*VISION_REASONING_EFFORT: [^]*OPENAI_API_KEY: is required/,
  );
});

test('given prices are added to the built-in ones, and replace them', () => {
  const own = { input: 1, cachedInput: 0.5, output: 2 };
  const MODEL_PRICES = JSON.stringify({ 'gpt-5': own, mine: own });
  expect(parseConfig(configSchema, { ...required, MODEL_PRICES }).MODEL_PRICES).toMatchObject({
    'gpt-5': own,
    mine: own,
    'gpt-4o-mini': expect.anything(),
  });
});

test.each(['[]', '{"mine":{"input":1}}', '{"mine":{"input":-1,"cachedInput":1,"output":1}}'])(
  'the price table %s is refused',
  (MODEL_PRICES) => {
    expect(() => parseConfig(configSchema, { ...required, MODEL_PRICES })).toThrow(/MODEL_PRICES: /);
  },
);

test('the local model needs no key, and has room for itself', () => {
  const { OPENAI_API_KEY: _key, ...keyless } = required;
  const config = parseConfig(configSchema, { ...keyless, VISION_MODEL: 'local' });
  expect(config).toMatchObject({
    OPENAI_API_KEY: undefined,
    LOCAL_MODEL_MEMORY_MIB: 384,
    LOCAL_MODEL_IDLE_MINUTES: 60,
  });
});

test.each([
  ['a remote first choice', {}],
  ['a remote first choice with the local model behind it', { VISION_FALLBACKS: 'local' }],
  ['a remote fallback', { VISION_MODEL: 'local', VISION_FALLBACKS: 'primary:gpt-4o' }],
])('%s needs the key', (_what, env) => {
  const { OPENAI_API_KEY: _key, ...keyless } = required;
  expect(() => parseConfig(configSchema, { ...keyless, ...env })).toThrow(/^ {2}OPENAI_API_KEY: is required/m);
});

test('the queue of the local model is served by it alone, and needs no key', () => {
  const { OPENAI_API_KEY: _key, ...keyless } = required;
  const local = { ...keyless, VISION_QUEUE: 'vision.local', VISION_MODEL: 'local' };
  expect(parseConfig(configSchema, local)).toMatchObject({ VISION_QUEUE: 'vision.local', OPENAI_API_KEY: undefined });
  expect(parseConfig(configSchema, required).VISION_QUEUE).toBe('vision');
  expect(() => parseConfig(configSchema, { ...required, VISION_QUEUE: 'vision.local', VISION_MODEL: 'gpt-5' })).toThrow(
    /VISION_MODEL: must be local/,
  );
  const fallbacks = { ...required, ...local, VISION_FALLBACKS: 'primary:gpt-4o', OPENAI_API_KEY: 'sk-test' };
  expect(() => parseConfig(configSchema, fallbacks)).toThrow(/VISION_FALLBACKS: must be none/);
});

test('models that requests may name need the key', () => {
  const { OPENAI_API_KEY: _key, ...keyless } = required;
  const named = { VISION_MODEL: 'local', VISION_MODELS: 'gpt-4o' };
  expect(() => parseConfig(configSchema, { ...keyless, ...named })).toThrow(/OPENAI_API_KEY: is required/);
  expect(parseConfig(configSchema, { ...required, ...named }).VISION_MODELS).toEqual(['gpt-4o']);
});
