import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { archive, createOwners, hasty, pickOwner } from './owners.ts';

const { owners, setting } = createOwners();

test('every owner has a key that the api knows, and nobody has the key of another', () => {
  const keys = JSON.parse(setting) as { id: string; owner: string; sha256: string }[];
  expect(keys.map(({ owner }) => owner)).toEqual(owners.map(({ name }) => name));
  for (const [index, { apiKey }] of owners.entries()) {
    const [id, secret = ''] = apiKey.split('.');
    expect(keys[index]).toMatchObject({ id, sha256: createHash('sha256').update(secret).digest('hex') });
  }
  expect(new Set(keys.map(({ sha256 }) => sha256)).size).toBe(owners.length);
});

test('owners are picked by their weights, those without one never', () => {
  const picked = Array.from({ length: 480 }, (_, index) => pickOwner(owners, index / 480).name);
  const counts = owners.map(({ name, weight }) => [name, picked.filter((one) => one === name).length, weight * 10]);
  for (const [name, count, expected] of counts) expect([name, count]).toEqual([name, expected]);
  expect(picked).not.toContain(archive);
  expect(picked).not.toContain(hasty);
});
