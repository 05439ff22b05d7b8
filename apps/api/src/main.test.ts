import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createStorage, sha256 } from '@bunri/runtime';
import {
  drawSamplePhoto,
  freePort,
  startProcess,
  startRedis,
  type RunningProcess,
  until,
  watchMachine,
} from '@bunri/testkit';
import { form, startTestApi } from './test-api.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const { env } = process;
const bucket = `t-${randomUUID()}`;
const settings = {
  PATH: env['PATH'],
  REDIS_URL: env['REDIS_URL'],
  REDIS_PREFIX: `{t${randomUUID()}}`,
  S3_BUCKET: bucket,
  S3_ENDPOINT: env['S3_ENDPOINT'],
  S3_REGION: env['S3_REGION'],
  S3_ACCESS_KEY_ID: env['S3_ACCESS_KEY_ID'],
  S3_SECRET_ACCESS_KEY: env['S3_SECRET_ACCESS_KEY'],
};
const keys = JSON.stringify([{ id: 'k1', sha256: sha256('s'), owner: 'ann', scopes: ['admin'] }]);
const headers = { authorization: 'Bearer k1.s' };

beforeAll(async () => {
  const storage = createStorage({
    bucket,
    region: settings.S3_REGION ?? '',
    endpoint: settings.S3_ENDPOINT,
    accessKeyId: settings.S3_ACCESS_KEY_ID,
    secretAccessKey: settings.S3_SECRET_ACCESS_KEY,
  });
  await storage.createBucket();
  storage.close();
});
afterAll(async () => {
  const redis = new Redis(settings.REDIS_URL ?? '');
  const left = await redis.keys(`${settings.REDIS_PREFIX}*`);
  if (left.length > 0) await redis.unlink(...left);
  await redis.quit();
});

async function start(more: Record<string, string>): Promise<RunningProcess> {
  const PORT = String(await freePort());
  return await startProcess({
    name: 'api',
    args: [main],
    env: { ...settings, PORT, HOST: '127.0.0.1', ...more },
    readyUrl: `http://127.0.0.1:${PORT}/readyz`,
  });
}

describe('the process', () => {
  test('does not start without keys, but for a demo that only this machine reaches', async () => {
    await expect(start({})).rejects.toThrow('API_KEYS: is required');
    await expect(start({ DEMO: 'true', HOST: '0.0.0.0' })).rejects.toThrow('code 78');
    const demo = await start({ DEMO: 'true' });
    expect((await fetch(`${demo.url}/v1/queues`)).status).toBe(200);
    expect(await demo.stop()).toEqual({ code: 0, signal: null });
  });

  test('ends streams and waits at SIGTERM, and leaves with code 0', async () => {
    const api = await start({ API_KEYS: keys });
    const post = async (body: FormData, more = {}) =>
      await fetch(`${api.url}/v1/classifications`, { method: 'POST', body, headers: { ...headers, ...more } });
    const photo = await drawSamplePhoto();
    const accepted = (await (await post(form(photo))).json()) as { links: { events: string } };
    const stream = await fetch(`${api.url}${accepted.links.events}`, { headers });
    const waiting = post(form(photo), { prefer: 'wait=60' });
    const listening = new Redis(settings.REDIS_URL ?? '');
    await untilListenersAre(listening, 2);

    const exit = api.stop();
    expect((await waiting).status).toBe(202);
    expect(await stream.text()).toContain('event: accepted');
    expect(await exit).toEqual({ code: 0, signal: null });
    expect(api.output()).not.toContain('"level":"error"');
    listening.disconnect();
  });
});

/** The channels of this test's prefix that somebody listens to. */
async function untilListenersAre(redis: Redis, count: number): Promise<void> {
  const giveUpAt = Date.now() + 5_000;
  for (;;) {
    const channels = (await redis.pubsub('CHANNELS', `${settings.REDIS_PREFIX}*`)) as string[];
    if (channels.length === count) return;
    if (Date.now() > giveUpAt) throw new Error(`${channels.length} channels, not ${count}, after 5 s`);
  }
}

test('without Redis every request is refused within a second, nothing is stored, and all is well when it is back', async () => {
  const server = await startRedis({ binary: env['REDIS_SERVER_BIN'] });
  const api = await startTestApi({ redisUrl: server.url });
  const photo = await drawSamplePhoto();
  const post = async () => await api.fetch('/v1/classifications', { method: 'POST', body: form(photo) });
  const { id } = (await (await post()).json()) as { id: string };
  const stored = await api.objects();

  await server.stop();
  const machine = await watchMachine();
  const startedAt = Date.now();
  for (const answer of [
    await post(),
    await api.fetch(`/v1/classifications/${id}`),
    await api.fetch(`/v1/classifications/${id}/events`),
    await api.fetch('/v1/queues'),
  ]) {
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(await answer.json()).toMatchObject({ code: 'service_unavailable' });
  }
  expect(await machine.ranMs(startedAt, Date.now())).toBeLessThan(4_000);
  await machine.stop();
  expect((await api.fetch('/healthz', { key: null })).status).toBe(200);
  expect((await api.fetch('/readyz', { key: null })).status).toBe(503);
  expect(await api.objects()).toEqual(stored);

  const again = await startRedis({ binary: env['REDIS_SERVER_BIN'], port: server.port });
  await until(() => api.redis.status === 'ready');
  expect((await post()).status).toBe(202);
  await api.close();
  await again.stop();
});
