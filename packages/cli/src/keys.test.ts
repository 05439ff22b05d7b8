import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createKeys, sha256, type ApiKeyView } from '@bunri/runtime';
import { openTestShell, type TestShell } from './command-fixture.ts';

let shell: TestShell;
beforeEach(async () => {
  shell = await openTestShell();
});
afterEach(async () => await shell.close());

const create = async (...more: string[]) =>
  await shell.bunri(['keys', 'create', '--owner', 'ann', '--scope', 'read', ...more]);
const listed = async (...more: string[]) =>
  (JSON.parse((await shell.bunri(['keys', 'list', '--json', ...more])).out) as { data: ApiKeyView[] }).data;

test('a key is shown once, alone on standard output, and Redis has its hash alone', async () => {
  const more = ['--scope', 'submit', '--expires', '90d', '--rate', '600', '--label', 'the app of ann'];
  const { code, out, err } = await create(...more);
  expect(code).toBe(0);
  const [, id = '', secret = ''] = /^(bunri_[0-9a-f]{20})\.([\w-]{43})$/.exec(out) ?? [];
  expect(err).toContain(`${id} of ann (submit, read)`);
  expect(err).toContain('API_KEYS_IN_REDIS=true');
  const [key] = await listed();
  expect(key).toMatchObject({ id, owner: 'ann', scopes: ['submit', 'read'], rate_per_minute: 600, state: 'active' });
  expect(Date.parse(key?.expires_at ?? '') - Date.parse(key?.created_at ?? '')).toBe(90 * 86_400_000);
  expect(key?.last_used_at).toBeNull();
  const { redis, prefix } = shell.operator;
  const stored = JSON.stringify(await redis.hgetall(createKeys(prefix).apiKeys));
  expect(stored).toContain(sha256(secret));
  const shown = (await shell.bunri(['keys', 'list'])).out + (await shell.bunri(['audit'])).out;
  expect(stored + shown).not.toContain(secret);
  expect(shown).not.toContain(sha256(secret));
});

test('a rotation gives a new secret and tells until when the old one is valid', async () => {
  const { out } = await create();
  const id = out.slice(0, out.indexOf('.'));
  const rotated = await shell.bunri(['keys', 'rotate', id, '--overlap', '24h', '--json']);
  const { key, old_secret_until: until } = JSON.parse(rotated.out) as { key: string; old_secret_until: string };
  expect(key.startsWith(`${id}.`)).toBe(true);
  expect(key).not.toBe(out);
  expect(Date.parse(until)).toBeGreaterThan(Date.now() + 23 * 3_600_000);
  expect((await shell.bunri(['keys', 'list'])).out).toContain('active, two secrets');
  const ended = await shell.bunri(['keys', 'rotate', id, '--overlap', '0s', '--json']);
  expect(JSON.parse(ended.out)).toMatchObject({ old_secret_until: null });
});

test('a rotation may set a new end, and revives no key that has ended', async () => {
  const { apiKeys } = shell.operator;
  const { key } = await apiKeys.create({ owner: 'ann', scopes: ['read'], lifeMs: 1 }, 'cli:x');
  const refused = await shell.bunri(['keys', 'rotate', key.id, '--expires', '90d']);
  expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('is expired') });
  const id = (await create()).out.slice(0, key.id.length);
  const rotated = await shell.bunri(['keys', 'rotate', id, '--expires', '1d', '--json']);
  const { expires_at: end } = JSON.parse(rotated.out) as { expires_at: string };
  expect(Date.parse(end)).toBeLessThanOrEqual(Date.now() + 86_400_000);
});

test('a key has at most four valid secrets', async () => {
  const { out } = await create();
  const id = out.slice(0, out.indexOf('.'));
  for (let n = 0; n < 3; n += 1) expect((await shell.bunri(['keys', 'rotate', id])).code).toBe(0);
  const refused = await shell.bunri(['keys', 'rotate', id]);
  expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('valid secrets') });
  expect((await shell.bunri(['keys', 'rotate', id, '--overlap', '0s'])).code).toBe(0);
});

test('a revoked key is listed only among all, and cannot be rotated', async () => {
  const { out } = await create();
  const id = out.slice(0, out.indexOf('.'));
  expect((await shell.bunri(['keys', 'revoke', id])).out).toContain(`${id} of ann is revoked`);
  expect(await listed()).toEqual([]);
  expect(await listed('--all')).toEqual([expect.objectContaining({ id, state: 'revoked' })]);
  expect((await shell.bunri(['keys', 'rotate', id])).err).toContain('is revoked; create a new key');
  expect((await shell.bunri(['keys', 'revoke', `bunri_${'0'.repeat(20)}`])).err).toContain('there is no key');
});

test('of two who change a key at once both changes hold', async () => {
  const { out } = await create();
  const id = out.slice(0, out.indexOf('.'));
  const { apiKeys } = shell.operator;
  const rotations = Array.from({ length: 2 }, async () => await apiKeys.rotate(id, { overlapMs: 60_000 }, 'cli:x'));
  const [one, two] = await Promise.all(rotations);
  const hashes = (await apiKeys.find(id))?.secrets.map((secret) => secret.sha256);
  const issued = [out, one?.presented ?? '', two?.presented ?? ''].map((key) =>
    sha256(key.slice(key.indexOf('.') + 1)),
  );
  expect(hashes?.toSorted()).toEqual(issued.toSorted());
});

test('there are at most 10,000 keys, and those that ended long ago make room for a new one', async () => {
  const { redis, prefix, apiKeys } = shell.operator;
  const { apiKeys: name, apiKeysUsed: used } = createKeys(prefix);
  const dayMs = 86_400_000;
  const idOf = (n: number) => `bunri_${String(n).padStart(20, '0')}`;
  const key = { owner: 'ann', scopes: ['read'], createdAt: 1, secrets: [{ sha256: sha256('x') }] };
  const put = async (n: number, end: object) => await redis.hset(name, idOf(n), JSON.stringify({ ...key, ...end }));
  const all = Array.from({ length: 10_000 }, (_, n) => [idOf(n), JSON.stringify(key)]).flat();
  await redis.hset(name, ...all);
  await put(1, { revokedAt: Date.now() - 29 * dayMs });
  expect(await create()).toMatchObject({ code: 1, out: '', err: expect.stringContaining('there are 10000 keys') });
  await put(2, { revokedAt: Date.now() - 31 * dayMs });
  await put(3, { expiresAt: Date.now() - 31 * dayMs });
  await redis.hset(used, idOf(2), 5, idOf(4), 5);
  expect((await create()).code).toBe(0);
  expect(await Promise.all([1, 2, 3, 4].map(async (n) => (await apiKeys.find(idOf(n))) !== null))).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(await redis.hkeys(used)).toEqual([idOf(4)]);
  const ids = `(${idOf(2)} ${idOf(3)}|${idOf(3)} ${idOf(2)})`;
  expect((await shell.bunri(['audit'])).out).toMatch(new RegExp(`keys.forget +${ids}`));
});

test('every change is kept in the audit, with who made it', async () => {
  const { out } = await create('--rate', '7');
  const id = out.slice(0, out.indexOf('.'));
  await shell.bunri(['keys', 'rotate', id]);
  await shell.bunri(['keys', 'revoke', id]);
  const { data } = JSON.parse((await shell.bunri(['audit', '--since', '1h', '--json'])).out) as { data: object[] };
  const line = { actor: 'cli:tester', target: id, outcome: 'done' };
  expect(data).toMatchObject([
    { ...line, action: 'keys.create', facts: { owner: 'ann', scopes: ['read'], rate: 7 } },
    { ...line, action: 'keys.rotate', facts: { overlap_seconds: 86_400 } },
    { ...line, action: 'keys.revoke' },
  ]);
  expect((await shell.bunri(['audit', '--limit', '1'])).out).toContain('keys.revoke');
});

test.each([
  ['no owner', ['create', '--scope', 'read']],
  ['an owner that is none', ['create', '--owner', 'a b', '--scope', 'read']],
  ['no scope', ['create', '--owner', 'ann']],
  ['an unknown scope', ['create', '--owner', 'ann', '--scope', 'all']],
  ['no time to live', ['create', '--owner', 'ann', '--scope', 'read', '--expires', '0d']],
  ['a rate of nothing', ['create', '--owner', 'ann', '--scope', 'read', '--rate', '0']],
  ['no id', ['revoke']],
])('%s is not understood', async (_name, args) => {
  expect(await shell.bunri(['keys', ...args])).toMatchObject({ code: 64, out: '' });
});

test('a whole key in the place of an id is not repeated', async () => {
  const { out } = await create();
  const refused = await shell.bunri(['keys', 'revoke', out]);
  expect(refused.code).toBe(64);
  expect(refused.err).not.toContain(out.slice(out.indexOf('.') + 1));
});
