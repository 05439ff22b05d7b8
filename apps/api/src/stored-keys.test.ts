import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import {
  connectProducer,
  connectSubscriber,
  createApiKeys,
  createKeys,
  createLogger,
  type ApiKeys,
  type StoredApiKey,
} from '@bunri/runtime';
import { until } from '@bunri/testkit/until';
import { identifyByKey, type Identify } from './auth.ts';
import { createStoredKeys, knownForMs } from './stored-keys.ts';

const log = createLogger({ app: 'api', level: 'error', silent: true });
const actor = 'cli:test';
const given = { owner: 'ann', scopes: ['read'] } as const;

let prefix: string;
let redis: Redis;
let apiKeys: ApiKeys;
let clock: number;
const subscribers: Redis[] = [];
const others: Redis[] = [];

beforeEach(async () => {
  prefix = `{t${randomUUID()}}`;
  redis = await open(process.env['REDIS_URL'] ?? '');
  clock = Date.now();
  apiKeys = createApiKeys({ redis, prefix, now: () => clock });
});
afterEach(async () => {
  const left = await redis.keys(`${prefix}*`);
  if (left.length > 0) await redis.unlink(...left);
  redis.disconnect();
  for (const opened of [...subscribers.splice(0), ...others.splice(0)]) opened.disconnect();
});

async function open(url: string): Promise<Redis> {
  const opened = connectProducer({ url, name: 'test', log });
  await until(() => opened.status === 'ready');
  return opened;
}

/** What one api process knows: a cache, a subscription, and its own clock. `asks` counts what it asks Redis. */
async function apiProcess({ most = 10_000, keys = apiKeys } = {}) {
  const subscriber = connectSubscriber({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
  subscribers.push(subscriber);
  const asks: string[] = [];
  const counted = {
    find: async (id: string) => {
      asks.push(id);
      return await keys.find(id);
    },
    touch: async (id: string) => await keys.touch(id),
  };
  const channel = createKeys(prefix).apiKeysChanged;
  const stored = createStoredKeys({ apiKeys: counted, subscriber, channel, log, now: () => clock, most });
  await until(async () => {
    const [, count] = await redis.pubsub('NUMSUB', channel);
    return Number(count) === subscribers.length;
  });
  const identify = identifyByKey([], stored, () => clock);
  return { stored, asks, identify, knows: async (key: string) => await knows(identify, key) };
}

async function knows(identify: Identify, key: string): Promise<string> {
  try {
    return (await identify({ authorization: `Bearer ${key}` })).owner;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('a key is looked up once in five seconds, has its own rate, and its last use is kept to the minute', async () => {
  const { presented, key } = await apiKeys.create({ ...given, ratePerMinute: 7 }, actor);
  const { asks, identify } = await apiProcess();
  const headers = { 'x-api-key': presented };
  expect(await identify(headers)).toEqual({ keyId: key.id, owner: 'ann', scopes: ['read'], ratePerMinute: 7 });
  await Promise.all([identify(headers), identify(headers)]);
  expect(asks).toHaveLength(1);
  const usedAt = async () => (await apiKeys.list())[0]?.last_used_at;
  await until(async () => (await usedAt()) !== null);
  const first = await usedAt();
  clock += knownForMs;
  await identify(headers);
  expect(asks).toHaveLength(2);
  expect(await usedAt()).toBe(first);
  clock += 60_000;
  await identify(headers);
  await until(async () => (await usedAt()) !== first);
});

test('a key that is revoked is refused by every api process at once', async () => {
  const { presented, key } = await apiKeys.create(given, actor);
  const processes = [await apiProcess(), await apiProcess()];
  for (const each of processes) expect(await each.knows(presented)).toBe('ann');
  const { told } = await apiKeys.revoke(key.id, actor);
  expect(told).toBe(2);
  // The clock of both stands still: what they knew would hold for five seconds more.
  for (const { knows: says } of processes) {
    await until(async () => (await says(presented)) === 'unauthorized');
  }
});

test('a process that hears nothing refuses a revoked key after five seconds', async () => {
  const { presented, key } = await apiKeys.create(given, actor);
  const { knows: says } = await apiProcess();
  expect(await says(presented)).toBe('ann');
  subscribers.pop()?.disconnect();
  await apiKeys.revoke(key.id, actor);
  expect(await says(presented)).toBe('ann');
  clock += knownForMs;
  expect(await says(presented)).toBe('unauthorized');
});

test('an answer from before a change is not kept', async () => {
  const { key } = await apiKeys.create(given, actor);
  const late = Promise.withResolvers<StoredApiKey | null>();
  const before = await apiKeys.find(key.id);
  let first = true;
  const find = async (id: string) => {
    if (!first) return await apiKeys.find(id);
    first = false;
    return await late.promise;
  };
  const { stored } = await apiProcess({ keys: { ...apiKeys, find } });
  const asked = stored.find(key.id);
  await apiKeys.revoke(key.id, actor);
  // Once the change was heard, a second caller asks anew, and does not wait for the first answer.
  await until(async () => (await stored.find(key.id))?.revokedAt !== undefined);
  late.resolve(before);
  await asked;
  expect((await stored.find(key.id))?.revokedAt).toBeDefined();
});

test('after a rotation both secrets are valid, and the old one only for the overlap', async () => {
  const old = await apiKeys.create(given, actor);
  const { knows: says } = await apiProcess();
  expect(await says(old.presented)).toBe('ann');
  const rotated = await apiKeys.rotate(old.key.id, { overlapMs: 3_000 }, actor);
  await until(async () => (await says(rotated.presented)) === 'ann');
  expect(await says(old.presented)).toBe('ann');
  clock += 3_000;
  expect(await says(old.presented)).toBe('unauthorized');
  expect(await says(rotated.presented)).toBe('ann');
});

test('an expired key is told so, but only to who has its secret', async () => {
  const { presented, key } = await apiKeys.create({ ...given, lifeMs: 1_000 }, actor);
  const { identify, knows: says } = await apiProcess();
  expect(await says(presented)).toBe('ann');
  clock += 1_000;
  await expect(identify({ 'x-api-key': presented })).rejects.toThrow('is expired');
  await expect(identify({ 'x-api-key': `${key.id}.guess` })).rejects.toThrow('is not known');
});

test('made-up ids are remembered up to a bound, and push no key out; ids of another form cost no look-up', async () => {
  const { presented, key } = await apiKeys.create(given, actor);
  const { asks, knows: says } = await apiProcess({ most: 3 });
  await says(presented);
  const strangers = Array.from({ length: 5 }, () => `bunri_${randomUUID().replaceAll('-', '').slice(0, 20)}`);
  for (const id of strangers) expect(await says(`${id}.x`)).toBe('unauthorized');
  asks.length = 0;
  // The last three are remembered, the first two are forgotten; the key is known still.
  for (const id of [key.id, ...strangers.toReversed()]) await says(`${id}.x`);
  expect(asks).toEqual([strangers[1], strangers[0]]);
  expect(await says('k1.x')).toBe('unauthorized');
  expect(await says(`bunri_${'g'.repeat(20)}.x`)).toBe('unauthorized');
  expect(asks).toHaveLength(2);
});

test('a key that is created after its id was asked for is known at once', async () => {
  const { knows: says, stored } = await apiProcess();
  const { presented, key } = await apiKeys.create(given, actor);
  const text = await redis.hget(createKeys(prefix).apiKeys, key.id);
  await redis.hdel(createKeys(prefix).apiKeys, key.id);
  expect(await stored.find(key.id)).toBeNull();
  await redis.hset(createKeys(prefix).apiKeys, key.id, text ?? '');
  await redis.publish(createKeys(prefix).apiKeysChanged, key.id);
  await until(async () => (await says(presented)) === 'ann');
});

test('while Redis is away a key that is known goes on for five seconds; then, and for any other, it is 503', async () => {
  const own = await open(process.env['REDIS_URL'] ?? '');
  others.push(own);
  const { knows: says } = await apiProcess({ keys: createApiKeys({ redis: own, prefix }) });
  const { presented } = await apiKeys.create(given, actor);
  const other = await apiKeys.create(given, actor);
  expect(await says(presented)).toBe('ann');
  others.pop()?.disconnect();
  expect(await says(presented)).toBe('ann');
  expect(await says(other.presented)).toBe('service_unavailable');
  clock += knownForMs;
  expect(await says(presented)).toBe('service_unavailable');
});
