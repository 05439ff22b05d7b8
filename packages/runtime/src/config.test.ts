import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { parseConfig, processSettings, storageSettings } from './config.ts';

const schema = z.object({ ...processSettings, ...storageSettings });

test('every missing or wrong setting is named at once, with what it is for', () => {
  const env = { PORT: 'abc', REDIS_PREFIX: 'bunri', S3_BUCKET: '' };
  expect(() => parseConfig(schema, env)).toThrow(
    /REDIS_URL: is required \(redis:\/\/[^]*REDIS_PREFIX: must be one name in braces[^]*PORT: [^]*S3_BUCKET: is required/,
  );
});

test('an empty value counts as absent, so that a default holds', () => {
  const config = parseConfig(schema, { REDIS_URL: 'redis://127.0.0.1:1', S3_BUCKET: 'photos', PORT: '', GRACE_MS: '' });
  expect(config).toMatchObject({ PORT: 8080, GRACE_MS: 25_000, REDIS_PREFIX: '{bunri}' });
});

test('a secret never has a default', () => {
  const config = parseConfig(schema, { REDIS_URL: 'redis://127.0.0.1:1', S3_BUCKET: 'photos' });
  expect(config.S3_SECRET_ACCESS_KEY).toBeUndefined();
});

test('a value of another protocol is refused', () => {
  expect(() => parseConfig(schema, { REDIS_URL: 'http://127.0.0.1', S3_BUCKET: 'photos' })).toThrow(/REDIS_URL/);
});
