import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startProcess } from '@bunri/testkit';
import { dead, openTestShell, type TestShell } from './command-fixture.ts';
import { nearest } from './program.ts';

let shell: TestShell;
beforeEach(async () => {
  shell = await openTestShell();
});
afterEach(async () => await shell.close());

test.each([
  ['nothing', [], 'Usage'],
  ['an unknown program', ['queue'], 'did you mean queues?'],
  ['no command', ['keys'], 'keys needs a command'],
  ['a command with a typing error', ['queues', 'statsu'], 'did you mean status?'],
  ['an unknown command', ['queues', 'juggle'], 'it knows status, describe'],
  ['an option with a typing error', ['keys', 'create', '--onwer', 'ann'], 'did you mean --owner?'],
  ['an unknown option', ['audit', '--colour'], '--help says what there is'],
  ['a queue that there is not', ['queues', 'describe', 'visoin'], 'did you mean vision?'],
])('%s ends with code 64 and a hint', async (_name, args, hint) => {
  const ran = await shell.bunri(args);
  expect(ran).toMatchObject({ code: 64, out: '' });
  expect(ran.err).toContain(hint);
});

test.each([[['--help']], [['keys', '--help']], [['queues', '--help']], [['queues', 'drain', '-h']], [['audit', '-h']]])(
  '%j helps, without settings and without Redis',
  async (args) => {
    const { code, out, err } = await shell.bunri(args, { over: { env: {} } });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('Usage: npm run -s bunri --');
  },
);

test('the help of a command has all of its options, and what to know before', async () => {
  const { out } = await shell.bunri(['queues', 'drain', '--help']);
  expect(out).toContain('--yes');
  expect(out).toContain('ended_by_operator');
});

test('settings that are missing and a Redis that is away are told by the exit code, without its password', async () => {
  expect(await shell.bunri(['queues', 'failed'], { over: { env: {} } })).toMatchObject({
    code: 78,
    err: expect.stringContaining('REDIS_URL: is required'),
  });
  const env = { REDIS_URL: 'redis://me:secret@127.0.0.1:1' };
  const away = await shell.bunri(['keys', 'list'], { over: { env } });
  expect(away.code).toBe(69);
  expect(away.err).toContain('127.0.0.1:1 cannot be reached');
  expect(away.err).not.toContain('secret');
});

test('as a process it ends by itself with its exit code, and a watch ends with Ctrl-C and 0', async () => {
  const id = await dead(shell.operator);
  const file = fileURLToPath(new URL('bunri.ts', import.meta.url));
  const start = async (...args: string[]) =>
    await startProcess({ name: 'bunri', args: [file, ...args], env: { ...shell.env } });
  const run = async (...args: string[]) => {
    const started = await start(...args);
    const { code } = await started.exited;
    return { code, output: started.output() };
  };
  const ran = await Promise.all([
    run('queues', 'failed'),
    run('queues', 'purge', '--all'),
    run('queues', 'failed', '--limit', 'many'),
  ]);
  expect(ran).toEqual([
    { code: 0, output: expect.stringContaining(id) },
    { code: 1, output: expect.stringContaining('add --yes') },
    { code: 64, output: expect.stringContaining('--limit takes a whole number') },
  ]);
  let seen = 0;
  const twice = Promise.withResolvers<void>();
  const watching = await startProcess({
    name: 'bunri',
    args: [file, 'queues', 'status', '--watch', '--interval', '1s', '--json'],
    env: { ...shell.env },
    onLine: (line) => {
      if ((seen += JSON.parse(line).queues.length > 0 ? 1 : 0) === 2) twice.resolve();
    },
  });
  await twice.promise;
  expect(await watching.stop('SIGINT')).toEqual({ code: 0, signal: null });
});

test('a second signal ends what does not stop by itself', async () => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const asked = once(silent, 'connection');
  const file = fileURLToPath(new URL('bunri.ts', import.meta.url));
  const env = { ...shell.env, REDIS_URL: `redis://127.0.0.1:${port}` };
  const waiting = await startProcess({ name: 'bunri', args: [file, 'audit'], env });
  const [socket] = (await asked) as [Socket];
  socket.on('error', () => undefined);
  const again = setInterval(() => void waiting.stop('SIGTERM', 60_000), 100);
  expect(await waiting.exited).toEqual({ code: 143, signal: null });
  clearInterval(again);
  socket.destroy();
  silent.close();
});

test('the nearest word is meant only where it is near', () => {
  expect(nearest('retyr', ['retry', 'replay'])).toBe('retry');
  expect(nearest('x', ['retry', 'replay'])).toBeUndefined();
  expect(nearest('', ['retry'])).toBeUndefined();
});
