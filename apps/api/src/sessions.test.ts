import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { sha256, type StoredApiKey } from '@bunri/runtime';
import { createSessions, sessionLifeS } from './sessions.ts';
import { startTestApi, type TestApi } from './test-api.ts';
import { bearer, bearerKey } from './test-keys.ts';

const path = '/v1/admin/session';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterEach(async () => {
  const left = await api.redis.keys(`${api.prefix}:session:*`);
  if (left.length > 0) await api.redis.unlink(...left);
});
afterAll(async () => {
  await api.close();
});

const send = async (at: string, headers: Record<string, string>, method = 'GET') =>
  await api.fetch(at, { method, headers, key: null });

async function open(more: Record<string, string> = {}): Promise<{ set: string; cookie: string }> {
  const answer = await send(path, { ...bearer('root'), ...more }, 'POST');
  expect(answer.status).toBe(204);
  const set = answer.headers.get('set-cookie') ?? '';
  return { set, cookie: set.split(';')[0] ?? '' };
}

test('a session stands for its key for an hour, out of reach of scripts and of other sites', async () => {
  const { set, cookie } = await open();
  expect(set).toMatch(/^bunri-session=[\w-]{43}; Max-Age=3600; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/);
  for (const proto of ['https', 'https, http']) {
    expect((await open({ 'x-forwarded-proto': proto })).set).toContain('; Secure');
  }
  expect((await open({ 'x-forwarded-proto': 'http, https' })).set).not.toContain('Secure');
  for (const at of ['/v1/stats/daily', '/v1/admin/dead-letters']) expect((await send(at, { cookie })).status).toBe(200);
  expect((await send('/v1/stats/daily', {})).status).toBe(401);
});

test('the store has neither the token nor the key, and forgets a session by itself', async () => {
  const { cookie } = await open();
  const token = cookie.split('=')[1] ?? '';
  const [key = ''] = await api.redis.keys(`${api.prefix}:session:*`);
  expect(key).toBe(`${api.prefix}:session:${sha256(token)}`);
  const kept = await api.redis.get(key);
  for (const secret of [token, bearerKey('root').split('.')[1]]) expect(kept).not.toContain(secret);
  const ttl = await api.redis.ttl(key);
  expect(ttl).toBeGreaterThan(sessionLifeS - 60);
  expect(ttl).toBeLessThanOrEqual(sessionLifeS);
});

test('only a key with the scope admin opens one, and a session opens no other: its hour ends', async () => {
  expect((await send(path, bearer('ann'), 'POST')).status).toBe(403);
  expect((await send(path, {}, 'POST')).status).toBe(401);
  const { cookie } = await open();
  expect((await send(path, { cookie }, 'POST')).status).toBe(401);
});

test.each([
  ['another site', { 'sec-fetch-site': 'cross-site' }],
  ['a neighbour below the same domain', { 'sec-fetch-site': 'same-site' }],
  ['an origin that is not this one', { origin: 'https://example.com' }],
  ['nobody who says where from', { origin: 'null' }],
])('a page of %s cannot use the session of its visitor', async (_who, headers) => {
  const { cookie } = await open();
  const answer = await send('/v1/stats/daily', { cookie, ...headers });
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([403, 'forbidden']);
});

test('this service’s own pages can use it to change something, and a key that is sent along counts for itself', async () => {
  const { cookie } = await open();
  const own = [{ 'sec-fetch-site': 'same-origin', origin: 'https://behind.a.proxy' }, { origin: api.url }];
  for (const headers of own) expect((await send('/v1/stats/daily', { cookie, ...headers })).status).toBe(200);
  expect((await send('/v1/stats/daily', { cookie, ...bearer('ann') })).status).toBe(403);
});

test('a session submits nothing, though its key could: a page that wants to has to ask for the key', async () => {
  const { cookie } = await open();
  const body = JSON.stringify({ image_url: 'https://example.com/photo.jpg' });
  const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' };
  const submit = async (by: Record<string, string>) =>
    (await api.fetch('/v1/classifications', { method: 'POST', body, headers: { ...headers, ...by }, key: null }))
      .status;
  expect(await submit({ cookie })).toBe(401);
  expect(await submit({ cookie, ...bearer('root') })).toBe(202);
  expect((await send('/v1/queues', { cookie })).status).toBe(200);
});

test('a session that was ended is over', async () => {
  const { cookie } = await open();
  const ended = await send(path, { cookie }, 'DELETE');
  expect(ended.status).toBe(204);
  expect(ended.headers.get('set-cookie')).toMatch(/^bunri-session=; .*Expires=Thu, 01 Jan 1970/);
  expect((await send('/v1/stats/daily', { cookie })).status).toBe(401);
});

test('a session is over with its key: revoked, expired, removed, or with another secret', async () => {
  const usual: StoredApiKey = {
    id: 'k1',
    owner: 'operations',
    scopes: ['admin'],
    secrets: [{ sha256: sha256('secret') }],
    createdAt: 0,
  };
  let key: StoredApiKey | null = usual;
  const stored = { find: async () => await Promise.resolve(key), used: () => undefined };
  const { redis, prefix } = api;
  const sessions = createSessions({ redis, prefix, keys: [], stored, now: () => 1_000 });
  const token = await sessions.open('k1.secret');
  expect(await sessions.find(token)).toMatchObject({ keyId: 'k1', owner: 'operations', scopes: ['admin'] });
  for (const changed of [
    null,
    { ...usual, revokedAt: 500 },
    { ...usual, expiresAt: 999 },
    { ...usual, secrets: [{ sha256: sha256('another') }] },
    { ...usual, secrets: [{ sha256: sha256('secret'), expiresAt: 999 }] },
  ]) {
    key = changed;
    expect(await sessions.find(token)).toBeNull();
  }
  key = usual;
  expect(await sessions.find(token)).not.toBeNull();
});
