import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { announceSlots, createKeys, createLogger } from '@bunri/runtime';
import { accepted, openTestShell, type TestShell } from '../command-fixture.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
let shell: TestShell;
beforeEach(async () => {
  shell = await openTestShell();
});
afterEach(async () => await shell.close());

const keys = async () => await shell.operator.redis.keys(`${shell.operator.prefix}*`);

test('everything under the prefix goes once it was typed, nothing beside it, and the audit tells', async () => {
  const { redis, prefix } = shell.operator;
  await accepted(shell.operator);
  await shell.bunri(['keys', 'create', '--owner', 'ann', '--scope', 'read']);
  const beside = `${prefix}-of-somebody-else`;
  await redis.set(beside, 'kept');
  const mistyped = await shell.bunri(['queues', 'clear'], { answer: 'yes' });
  expect(mistyped).toMatchObject({ code: 1, err: expect.stringContaining('1 requests are open, and 1 API keys') });
  expect((await keys()).length).toBeGreaterThan(5);
  const typed = await shell.bunri(['queues', 'clear'], { answer: prefix });
  expect(typed).toMatchObject({ code: 0, out: expect.stringContaining(`under ${prefix} were removed`) });
  expect((await keys()).toSorted()).toEqual([beside, createKeys(prefix).audit].toSorted());
  expect((await shell.bunri(['audit'])).out).toContain('queues.clear');
});

test('for scripts the prefix may be typed beforehand, and has to be the right one', async () => {
  await accepted(shell.operator);
  expect(await shell.bunri(['queues', 'clear'])).toMatchObject({ code: 1, err: expect.stringContaining('--confirm') });
  expect((await shell.bunri(['queues', 'clear', '--confirm', '{bunri}'])).code).toBe(1);
  const { prefix } = shell.operator;
  const { out } = await shell.bunri(['queues', 'clear', '--confirm', prefix, '--json']);
  expect(JSON.parse(out)).toMatchObject({ prefix, finished: true });
});

test.each(['NODE_ENV', 'BUNRI_ENV'])('nothing is cleared where %s is production', async (name) => {
  const env = { ...shell.env, [name]: 'production' };
  await accepted(shell.operator);
  const refused = await shell.bunri(['queues', 'clear', '--confirm', shell.operator.prefix], { over: { env } });
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining(`${name} is production`) });
  expect((await keys()).length).toBeGreaterThan(5);
});

test('nothing is cleared while a worker runs, or one is just starting', async () => {
  const { redis, prefix } = shell.operator;
  const clear = async () => await shell.bunri(['queues', 'clear', '--confirm', prefix]);
  const announced = announceSlots({ redis, prefix, stage: 'vision', slots: 3, log });
  expect(await clear()).toMatchObject({ code: 1, err: expect.stringContaining('workers of vision run') });
  await announced.close();
  const subscriber = redis.duplicate({ enableOfflineQueue: true });
  await subscriber.subscribe(createKeys(prefix).control);
  expect(await clear()).toMatchObject({ code: 1, err: expect.stringContaining('1 workers listen') });
  subscriber.disconnect();
});
