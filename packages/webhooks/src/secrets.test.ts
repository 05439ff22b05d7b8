import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createKeys } from '@bunri/runtime';
import { createWebhookSecrets, SecretUnreadableError } from './secrets.ts';
import { log } from './test-receiver.ts';

const redis = new Redis(process.env['REDIS_URL'] ?? '');
const key = randomBytes(32);
const dayMs = 24 * 3600 * 1000;
let prefix: string;
const prefixes: string[] = [];
let clock = 1_000;
const open = (own = key) => createWebhookSecrets({ redis, prefix, key: own, log, now: () => clock });

beforeEach(() => {
  prefix = `{t${randomUUID()}}`;
  prefixes.push(prefix);
});
afterAll(async () => {
  for (const one of prefixes) {
    const left = await redis.keys(`${one}*`);
    if (left.length > 0) await redis.unlink(...left);
  }
  await redis.quit();
});

test('a secret is made at its first use, once, however many ask at the same time', async () => {
  expect(await open().read('ann')).toEqual([]);
  const all = await Promise.all(Array.from({ length: 5 }, async () => await open().ensure('ann')));
  expect(new Set(all.map(([one]) => one?.secret)).size).toBe(1);
  const [secret] = await open().read('ann');
  expect(Buffer.from(secret?.secret.replace(/^whsec_/, '') ?? '', 'base64')).toHaveLength(32);
  expect(secret?.expiresAt).toBeNull();
});

test('it is stored so that nobody without the key reads it, and nobody can give it to another owner', async () => {
  const [secret] = await open().ensure('ann');
  const keysOf = createKeys(prefix);
  const stored = (await redis.get(keysOf.webhookSecrets('ann'))) ?? '';
  expect(stored).not.toContain(secret?.secret.slice(6));
  await redis.set(keysOf.webhookSecrets('bob'), stored);
  await expect(open().read('bob')).rejects.toThrow(SecretUnreadableError);
  await expect(open(randomBytes(32)).read('ann')).rejects.toThrow(SecretUnreadableError);
  await expect(open(randomBytes(32)).ensure('ann')).rejects.toThrow(SecretUnreadableError);
});

test('a replaced secret signs along for a day', async () => {
  const [former] = await open().ensure('ann');
  const both = await open().rotate('ann');
  expect(both.map(({ expiresAt }) => expiresAt)).toEqual([null, clock + dayMs]);
  expect(both[1]?.secret).toBe(former?.secret);
  clock += dayMs;
  expect(await open().read('ann')).toEqual(both.slice(0, 1));
});

test('rotations in a row leave four secrets at most, none longer than it had, and rotations at once all count', async () => {
  await open().ensure('ann');
  await open().rotate('ann');
  const until = clock + dayMs;
  clock += 1_000;
  await Promise.all(Array.from({ length: 2 }, async () => await open().rotate('ann')));
  const secrets = await open().read('ann');
  expect(secrets.map(({ expiresAt }) => expiresAt)).toEqual([null, until + 1_000, until + 1_000, until]);
  expect(await open().rotate('ann')).toHaveLength(4);
});

test('a key that is of one process alone takes the place of another', async () => {
  await open(randomBytes(32)).ensure('ann');
  const demo = createWebhookSecrets({ redis, prefix, key, log, now: () => clock, isEphemeral: true });
  expect(await demo.read('ann')).toEqual([]);
  expect(await demo.ensure('ann')).toHaveLength(1);
  expect(await demo.read('ann')).toHaveLength(1);
});

test('what was stored under a lost key is given up only by a rotation', async () => {
  await open(randomBytes(32)).ensure('ann');
  expect(await open().rotate('ann')).toHaveLength(1);
  expect(await open().read('ann')).toHaveLength(1);
});
