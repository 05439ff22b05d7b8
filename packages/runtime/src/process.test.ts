import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { createLogger } from './log.ts';
import { createProcessLife } from './process.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });

test('what was opened last is released first', async () => {
  const life = createProcessLife({ log, graceMs: 1_000 });
  const released: string[] = [];
  for (const name of ['redis', 'probes', 'worker']) life.onStop(name, () => void released.push(name));
  expect(await life.stop('test')).toBe(0);
  expect(released).toEqual(['worker', 'probes', 'redis']);
});

test('a release that fails is told by the exit code and keeps none of the others from running', async () => {
  const life = createProcessLife({ log, graceMs: 1_000 });
  let released = false;
  life.onStop('first', () => {
    released = true;
  });
  life.onStop('second', async () => await Promise.reject(new Error('stuck')));
  expect(await life.stop('test')).toBe(1);
  expect(released).toBe(true);
});

test('stopping twice releases once', async () => {
  const life = createProcessLife({ log, graceMs: 1_000 });
  let releases = 0;
  life.onStop('once', () => {
    releases += 1;
  });
  expect(life.stopping).toBe(false);
  await Promise.all([life.stop('a'), life.stop('b')]);
  expect(life.stopping).toBe(true);
  expect(releases).toBe(1);
});

test('a process whose log has no reader any more stops, and says so with its exit code', async () => {
  const app = fileURLToPath(new URL('unread-log.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@bunri/source', '--no-warnings', app], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'exit')).toEqual([1, null]);
  } finally {
    child.kill('SIGKILL');
  }
});
