import { expect, test } from '@jest/globals';
import { parseConfig } from '@bunri/runtime';
import { configSchema } from './config.ts';

const base = { REDIS_URL: 'redis://localhost', S3_BUCKET: 'photos' };
const key = { id: 'k1', sha256: 'a'.repeat(64), owner: 'ann', scopes: ['read'] };
const parse = (env: Record<string, string>) => parseConfig(configSchema, { ...base, ...env });

test('with keys it listens on every address and limits by the minute', () => {
  const config = parse({ API_KEYS: JSON.stringify([key]) });
  expect(config).toMatchObject({ HOST: '0.0.0.0', RATE_LIMIT_PER_MINUTE: 600, API_KEYS: [key], DEMO: false });
  expect(config).toMatchObject({ VISION_MODEL: 'gpt-5', LLM_MODEL: 'gpt-4o-mini', ALLOW_HTTP_IMAGE_URLS: false });
});

test.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1', 'localhost'])('a demo on %s needs no keys', (HOST) => {
  expect(parse({ DEMO: 'true', HOST })).toMatchObject({ DEMO: true });
});

test('keys in Redis are a source of keys, alone or beside others', () => {
  expect(parse({ API_KEYS_IN_REDIS: 'true' })).toMatchObject({ API_KEYS_IN_REDIS: true });
  expect(parse({ API_KEYS_IN_REDIS: 'true', API_KEYS: JSON.stringify([key]) })).toMatchObject({ API_KEYS: [key] });
  expect(parse({ API_KEYS: JSON.stringify([key]) })).toMatchObject({ API_KEYS_IN_REDIS: false });
});

test.each([
  ['nothing', {}, 'API_KEYS: is required'],
  ['a demo for everybody', { DEMO: 'true' }, 'DEMO: needs a HOST'],
  ['a demo for the network', { DEMO: 'true', HOST: '10.0.0.1' }, 'DEMO: needs a HOST'],
  ['a demo by name', { DEMO: 'true', HOST: 'example.com' }, 'DEMO: needs a HOST'],
  ['a demo with keys', { DEMO: 'true', HOST: '::1', API_KEYS_FILE: '/keys' }, 'DEMO: would ignore'],
  ['a demo with keys in Redis', { DEMO: 'true', HOST: '::1', API_KEYS_IN_REDIS: 'true' }, 'DEMO: would ignore'],
  ['keys twice', { API_KEYS: JSON.stringify([key]), API_KEYS_FILE: '/keys' }, 'API_KEYS_FILE: and API_KEYS'],
  ['keys that are not JSON', { API_KEYS: 'k1.secret' }, 'API_KEYS: is not JSON'],
  ['an empty list of keys', { API_KEYS: '[]' }, 'API_KEYS:'],
  [
    'a key without a hash',
    { API_KEYS: JSON.stringify([{ ...key, sha256: 'secret' }]) },
    'API_KEYS: must be the SHA-256',
  ],
  ['one id twice', { API_KEYS: JSON.stringify([key, key]) }, 'API_KEYS: has two keys of one id'],
])('it refuses %s', (_name, env, message) => {
  expect(() => parse(env)).toThrow(message);
});

test('a key that is wrong is not quoted', () => {
  const text = JSON.stringify([{ ...key, sha256: 'top-secret', scopes: ['top-secret'] }]);
  const message = (() => {
    try {
      return JSON.stringify(parse({ API_KEYS: text }));
    } catch (error) {
      return String(error);
    }
  })();
  expect(message).not.toContain('top-secret');
  expect(message).toContain('API_KEYS');
});
