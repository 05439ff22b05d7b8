import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const file = fileURLToPath(new URL('run-tests.ts', import.meta.url));

/** Runs the test runner with a Redis of its own, whose files go under a directory of their own. */
async function runTests(dir: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  const { REDIS_URL: _, ...inherited } = process.env;
  const child = spawn(process.execPath, ['--conditions=@bunri/source', '--no-warnings', file, ...args], {
    env: { ...inherited, TMPDIR: dir },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

test("it hands its arguments to jest, exits with jest's code and leaves no Redis behind", async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bunri-run-tests-'));
  const version = await runTests(dir, '--version');
  expect(version).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  expect((await runTests(dir, '--selectProjects', 'no-such-project')).code).toBe(1);
  expect((await readdir(dir)).filter((name) => name.startsWith('bunri-redis-'))).toEqual([]);
  await rm(dir, { recursive: true });
});
