import { expect, test } from '@jest/globals';
import { createMemoryGuard } from './memory-guard.ts';

function guardOf(reports: string[]) {
  let time = 0;
  let asked = 0;
  const redis = { info: () => Promise.resolve(reports[asked++] ?? '') };
  const guard = createMemoryGuard({ redis, now: () => time });
  return { guard, pass: (ms: number) => (time += ms), asked: () => asked };
}

test.each([
  ['used_memory:100\r\nmaxmemory:0\r\n', true],
  ['used_memory:84\r\nmaxmemory:100\r\n', true],
  ['used_memory:85\r\nmaxmemory:100\r\n', false],
])('of a Redis that reports %j it says %p', async (report, room) => {
  expect(await guardOf([report]).guard.hasRoom()).toBe(room);
});

test('Redis is asked once a second, however many ask', async () => {
  const full = 'used_memory:99\r\nmaxmemory:100\r\n';
  const { guard, pass, asked } = guardOf([full, 'used_memory:1\r\nmaxmemory:100\r\n']);
  expect(await Promise.all([guard.hasRoom(), guard.hasRoom()])).toEqual([false, false]);
  pass(999);
  expect(await guard.hasRoom()).toBe(false);
  expect(asked()).toBe(1);
  pass(1);
  expect(await guard.hasRoom()).toBe(true);
});
