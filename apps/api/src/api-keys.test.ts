import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { connectProducer, createApiKeys, createLogger, type ApiKeys } from '@bunri/runtime';
import { freePort, startProcess, type RunningProcess, until } from '@bunri/testkit';

const { env } = process;
const prefix = `{t${randomUUID()}}`;
const bucket = env['S3_ENDPOINT'] === undefined ? 'bunri' : `t-${randomUUID()}`;
const log = createLogger({ app: 'api', level: 'error', silent: true });

let redis: Redis;
let apiKeys: ApiKeys;
const processes: RunningProcess[] = [];

beforeAll(async () => {
  redis = connectProducer({ url: env['REDIS_URL'] ?? '', name: 'test', log });
  await until(() => redis.status === 'ready');
  apiKeys = createApiKeys({ redis, prefix });
  processes.push(...(await Promise.all([start(), start()])));
});
afterAll(async () => {
  await Promise.all(processes.map(async (each) => await each.stop()));
  const left = await redis.keys(`${prefix}*`);
  if (left.length > 0) await redis.unlink(...left);
  redis.disconnect();
});

/** An api that has no keys but those in Redis. */
async function start(): Promise<RunningProcess> {
  const PORT = String(await freePort());
  const file = fileURLToPath(new URL('main.ts', import.meta.url));
  const { PATH, REDIS_URL, S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = env;
  return await startProcess({
    name: 'api',
    args: [file],
    env: {
      PATH,
      REDIS_URL,
      S3_ENDPOINT,
      S3_REGION,
      S3_ACCESS_KEY_ID,
      S3_SECRET_ACCESS_KEY,
      PORT,
      HOST: '127.0.0.1',
      REDIS_PREFIX: prefix,
      S3_BUCKET: bucket,
      API_KEYS_IN_REDIS: 'true',
    },
    readyUrl: `http://127.0.0.1:${PORT}/healthz`,
  });
}

async function ask(api: RunningProcess | undefined, key: string): Promise<Response> {
  return await fetch(`${api?.url}/v1/queues`, { headers: { authorization: `Bearer ${key}` } });
}

test('a key made in Redis opens two apis, has its own limit, and is refused by both as soon as it is revoked', async () => {
  const { presented, key } = await apiKeys.create({ owner: 'ann', scopes: ['read'], ratePerMinute: 50 }, 'cli:test');
  for (const api of processes) {
    const answer = await ask(api, presented);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('ratelimit-policy')).toBe('"minute";q=50;w=60');
  }
  expect((await ask(processes[0], `${key.id}.guess`)).status).toBe(401);
  expect((await apiKeys.revoke(key.id, 'cli:test')).told).toBe(2);
  for (const api of processes) await until(async () => (await ask(api, presented)).status === 401);
});

test('a key that has used up its own limit waits as long as Retry-After says', async () => {
  const { presented } = await apiKeys.create({ owner: 'ann', scopes: ['read'], ratePerMinute: 1 }, 'cli:test');
  expect((await ask(processes[0], presented)).status).toBe(200);
  const refused = await ask(processes[1], presented);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(refused.headers.get('ratelimit')).toMatch(/^"minute";r=0;t=\d+$/);
});
