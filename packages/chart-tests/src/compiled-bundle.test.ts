import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

const docker = fileURLToPath(new URL('../../../docker/', import.meta.url));
const head = '(typeof module === "object" ? module : {}).exports = function (exports, require, module, __filename) {';
const body = 'process.stdout.write(require("node:path").basename(__filename));';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bunri-compiled-'));
  const main = await readFile(join(docker, 'main.cjs'), 'utf8');
  await writeFile(join(folder, 'main.cjs'), main.replace("'APP'", "'some-app'"));
  await writeBundle(body);
  await compile();
});
afterEach(async () => await rm(folder, { recursive: true }));

async function writeBundle(text: string): Promise<void> {
  await writeFile(join(folder, 'bundle.cjs'), `${head}\n${text}\n};\n`);
}

async function compile(): Promise<void> {
  const child = fork(join(docker, 'compile.cjs'), [join(folder, 'bundle.cjs')], {
    execArgv: [],
    env: {},
    silent: true,
  });
  child.send('enough');
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(0);
}

/** What the app writes. */
async function start(...nodeArgs: string[]): Promise<{ stdout: string; stderr: string }> {
  return await promisify(execFile)(process.execPath, [...nodeArgs, join(folder, 'main.cjs')], { env: {} });
}

test.each([
  ['the flags of a pod', ['--max-old-space-size=160', '--max-semi-space-size=2']],
  ['source maps', ['--enable-source-maps']],
])('a bundle that was compiled beforehand starts with %s, and says nothing of it', async (_name, args) => {
  expect(await start(...args)).toEqual({ stdout: 'bundle.cjs', stderr: '' });
});

test('with flags of V8 for which it was not compiled a bundle starts, and says in a line of the log that this took longer', async () => {
  const { stdout, stderr } = await start('--stack-size=900');
  expect(stdout).toBe('bundle.cjs');
  expect(
    stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    {
      app: 'some-app',
      node: process.version,
      flags: '--stack-size=900',
      level: 'info',
      message: expect.stringContaining('not started from compiled code'),
      timestamp: expect.stringMatching(/^\d{4}-.+Z$/),
    },
  ]);
});

test('an app is compiled from where it waits for Redis, to the same bytes each time, for production', async () => {
  await writeBundle(`
    if (process.env.NODE_ENV !== 'production') throw new Error('not as in an image');
    const { hostname, port } = new URL(process.env.REDIS_URL);
    require('node:net').connect(Number(port), hostname).write('PING');
    ${body}
  `);
  const program = `import(process.argv[1]).then(({ compileBundle }) => compileBundle(process.argv[2]))`;
  const compiled = async () => {
    const args = ['--eval', program, join(docker, 'compile-bundle.mjs'), join(folder, 'bundle.cjs')];
    await promisify(execFile)(process.execPath, args, { env: {} });
    return await readFile(join(folder, 'bundle.cache'));
  };
  const first = await compiled();
  expect((await compiled()).equals(first)).toBe(true);
});

test('a signal to stop that comes while the bundle is being loaded waits for the app', async () => {
  await writeBundle(`
    if (process.connected) return;
    process.kill(process.pid, 'SIGTERM');
    const alive = setInterval(() => undefined, 1000);
    process.on('SIGTERM', () => { process.stdout.write('drained'); clearInterval(alive); });
  `);
  await compile();
  expect(await start()).toEqual({ stdout: 'drained', stderr: '' });
});

test('a bundle does not start with what was compiled of another one, or damaged', async () => {
  await writeBundle(body.replace('basename', 'dirname '));
  await expect(start()).rejects.toThrow('damaged or not of');
  await writeBundle(body);
  expect(await start()).toMatchObject({ stdout: 'bundle.cjs' });
  const compiled = await readFile(join(folder, 'bundle.cache'));
  compiled.writeUInt8(compiled.readUInt8(compiled.length >> 1) ^ 1, compiled.length >> 1);
  await writeFile(join(folder, 'bundle.cache'), compiled);
  await expect(start()).rejects.toThrow('damaged or not of');
});
