import { expect, test } from '@jest/globals';
import { parseConfig } from '@bunri/runtime';
import { configSchema } from './config.ts';

const required = { REDIS_URL: 'redis://127.0.0.1:6379', S3_BUCKET: 'photos' };

test('without settings an image_url may use https and reach public addresses only', () => {
  const config = parseConfig(configSchema, required);
  expect(config).toMatchObject({ ALLOW_HTTP_IMAGE_URLS: false, IMAGE_URL_ADDRESSES: [] });
});

test('addresses and ranges are read from a list', () => {
  const config = parseConfig(configSchema, {
    ...required,
    IMAGE_URL_ADDRESSES: '127.0.0.1, 10.1.0.0/16,fd00::/8',
  });
  expect(config.IMAGE_URL_ADDRESSES).toEqual(['127.0.0.1', '10.1.0.0/16', 'fd00::/8']);
});

test.each(['localhost', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/'])('%s is no address to allow', (entry) => {
  const parse = () => parseConfig(configSchema, { ...required, IMAGE_URL_ADDRESSES: entry });
  expect(parse).toThrow('IMAGE_URL_ADDRESSES');
});
