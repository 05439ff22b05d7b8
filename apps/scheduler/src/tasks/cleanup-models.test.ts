import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { closeRedis, connectSubscriber } from '@bunri/runtime';
import { openWorld, sampleRun, type World } from '../fixture.ts';
import { cleanupModels } from './cleanup-models.ts';

let world: World;
beforeEach(() => {
  world = openWorld(process.env);
});
afterEach(async () => await world.close());

test('every process that listens on the control channel is told, and counted', async () => {
  const { redis, log, records } = world;
  const task = cleanupModels(records);
  expect(await task(sampleRun())).toEqual({ listeners: 0 });

  const subscriber = connectSubscriber({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
  const heard = new Promise((resolve) => subscriber.on('message', (_channel, message) => resolve(message)));
  await subscriber.subscribe(records.keys.control);
  expect(await cleanupModels({ redis, keys: records.keys })(sampleRun())).toEqual({ listeners: 1 });
  expect(await heard).toBe('cleanup_models');
  await closeRedis(subscriber);
});
