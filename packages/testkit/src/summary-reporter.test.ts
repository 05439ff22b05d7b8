import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const reporter = fileURLToPath(new URL('summary-reporter.mjs', import.meta.url));
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bunri-reporter-'));
});
afterAll(() => rm(dir, { recursive: true }));

/** Runs jest on files in a directory of their own and gives the last line that it printed, and its exit code. */
async function runJest(files: Record<string, string>): Promise<{ lastLine: string | undefined; code: number | null }> {
  const config = JSON.stringify({ rootDir: dir, reporters: [reporter], transform: {}, watchman: false, cache: false });
  for (const [name, source] of Object.entries(files)) await writeFile(join(dir, name), source);
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const child = spawn(process.execPath, [jest, '--runInBand', '--config', config], { cwd: dir });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  for (const name of Object.keys(files)) await rm(join(dir, name));
  return { lastLine: printed.trimEnd().split('\n').at(-1), code };
}

test('the last line counts what passed and what failed', async () => {
  expect(await runJest({ 'a.test.js': `test('a', () => {}); test('b', () => {});` })).toEqual({
    lastLine: '2 passed, 0 failed',
    code: 0,
  });
});

test('skipped tests are told, and a file that cannot run is a failure', async () => {
  const files = {
    'a.test.js': `test('a', () => {}); test.skip('b', () => {}); test('c', () => { throw new Error('no'); });`,
    'b.test.js': `require('./missing.js');`,
  };
  expect(await runJest(files)).toEqual({ lastLine: '1 passed, 2 failed, 1 skipped', code: 1 });
});
