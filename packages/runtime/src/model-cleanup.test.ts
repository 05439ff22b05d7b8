import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { newRequestId } from './enqueue.ts';
import { createKeys } from './keys.ts';
import { createLogger } from './log.ts';
import { cleanupModelsMessage, listenForModelCleanup } from './model-cleanup.ts';
import { closeRedis, connectConsumer, connectSubscriber } from './redis.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const url = process.env['REDIS_URL'] ?? '';
const keys = createKeys(`{${newRequestId()}}`);

let redis: Redis;
let subscriber: Redis;
beforeEach(() => {
  redis = connectConsumer({ url, name: 'test', log });
  subscriber = connectSubscriber({ url, name: 'test', log });
});
afterEach(async () => await Promise.all([redis, subscriber].map(closeRedis)));

test('the message on the control channel unloads idle models, and no other message does', async () => {
  const heard: number[] = [];
  const twice = Promise.withResolvers<void>();
  const unloadIdle = async () => {
    heard.push(heard.length);
    if (heard.length === 2) twice.resolve();
    // One failure does not end the listening.
    return await (heard.length === 1 ? Promise.reject(new Error('stuck')) : Promise.resolve(['model']));
  };
  await listenForModelCleanup(subscriber, keys, unloadIdle, log);
  await subscriber.subscribe(`${keys.control}:other`);
  await redis.publish(keys.control, 'canceled req_1');
  await redis.publish(`${keys.control}:other`, cleanupModelsMessage);
  expect(await redis.publish(keys.control, cleanupModelsMessage)).toBe(1);
  expect(await redis.publish(keys.control, cleanupModelsMessage)).toBe(1);
  await twice.promise;
  expect(heard).toEqual([0, 1]);
});
