import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, sha256 } from '@bunri/runtime';
import { identifyByKey, readApiKeys, requireScope, type ApiKey, type Client } from './auth.ts';

const keys: ApiKey[] = [
  { id: 'k1', sha256: sha256('one.with.dots'), owner: 'ann', scopes: ['read'] },
  { id: 'k2', sha256: sha256('two'), owner: 'bob', scopes: ['admin'] },
];
const identify = identifyByKey(keys);

test('the key is taken from either header', async () => {
  const ann: Client = { keyId: 'k1', owner: 'ann', scopes: ['read'] };
  expect(await identify({ authorization: 'Bearer k1.one.with.dots' })).toEqual(ann);
  expect(await identify({ authorization: 'bearer k1.one.with.dots' })).toEqual(ann);
  expect(await identify({ 'x-api-key': 'k1.one.with.dots' })).toEqual(ann);
});

test.each([
  [{}],
  [{ authorization: 'Basic azE6b25l' }],
  [{ authorization: 'Bearer k1' }],
  [{ authorization: 'Bearer k1.' }],
  [{ authorization: 'Bearer k1.two' }],
  [{ authorization: 'Bearer k3.two' }],
  [{ authorization: `Bearer k1.${keys[0]?.sha256}` }],
  [{ authorization: 'Bearer __proto__.two' }],
  [{ 'x-api-key': '.two' }],
])('%j is nobody', async (headers) => {
  await expect(identify(headers)).rejects.toThrow(
    expect.objectContaining({ code: 'unauthorized', headers: { 'www-authenticate': 'Bearer realm="bunri"' } }),
  );
});

test('a scope is needed, and admin has all of them', async () => {
  const reader = await identify({ 'x-api-key': 'k1.one.with.dots' });
  expect(() => requireScope(reader, 'read')).not.toThrow();
  expect(() => requireScope(reader, 'submit')).toThrow(expect.objectContaining({ code: 'forbidden' }));
  const admin = await identify({ 'x-api-key': 'k2.two' });
  expect(() => requireScope(admin, 'submit')).not.toThrow();
});

describe('a file of keys', () => {
  test('is read, and every way in which it is unusable stops the start', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bunri-keys-'));
    const file = join(folder, 'keys.json');
    await expect(readApiKeys(file)).rejects.toThrow(ConfigError);
    await writeFile(file, '[{"id":"k1"}]');
    await expect(readApiKeys(file)).rejects.toThrow('0.sha256');
    await writeFile(file, JSON.stringify(keys));
    expect(await readApiKeys(file)).toEqual(keys);
    await rm(folder, { recursive: true });
  });
});
