import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort } from './free-port.ts';
import { startProcess } from './processes.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bunri-processes-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function program(name: string, source: string): Promise<string> {
  const file = join(dir, `${name}.mts`);
  await writeFile(file, source);
  return file;
}

const server = `
  import { createServer } from 'node:http';
  const ready: number = Date.now() + 100;
  createServer((_req, res) => res.writeHead(Date.now() < ready ? 503 : 200).end()).listen(Number(process.env['PORT']), '127.0.0.1');
  console.log('listening', Object.keys(process.env).join());
`;

test('a TypeScript program is started, waited for until it is ready, and stopped', async () => {
  const port = await freePort();
  const running = await startProcess({
    name: 'server',
    args: [await program('server', server)],
    env: { PORT: String(port) },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
  });
  expect(running.url).toBe(`http://127.0.0.1:${port}`);
  expect((await fetch(running.url ?? '')).status).toBe(200);
  expect(await running.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  expect(running.output()).toBe('listening NODE_COMPILE_CACHE,PORT');
});

test('a program that ends before it is ready is an error with its last lines', async () => {
  const file = await program('broken', `console.error('REDIS_URL is missing'); process.exit(3);`);
  const readyUrl = `http://127.0.0.1:${await freePort()}/`;
  const start = startProcess({ name: 'broken', args: [file], env: {}, readyUrl });
  await expect(start).rejects.toThrow(/broken ended before it was ready \(code 3, .*[\s\S]*REDIS_URL is missing/);
});

test('a program that is never ready is killed and is an error', async () => {
  const file = await program('idle', `console.log(process.pid); setInterval(() => {}, 1000);`);
  const lines: string[] = [];
  const start = startProcess({
    name: 'idle',
    args: [file],
    env: {},
    readyUrl: `http://127.0.0.1:${await freePort()}/`,
    readyTimeoutMs: 4_000,
    onLine: (line) => lines.push(line),
  });
  await expect(start).rejects.toThrow(/idle was not ready within 4000 ms/);
  expect(() => process.kill(Number(lines[0]), 0)).toThrow(/ESRCH/);
});

test('a program that ignores the signal is killed after the time allowed', async () => {
  const file = await program(
    'stubborn',
    `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up');`,
  );
  const up = Promise.withResolvers<string>();
  const running = await startProcess({ name: 'stubborn', args: [file], env: {}, onLine: up.resolve });
  await up.promise;
  expect(await running.stop('SIGTERM', 50)).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a program and a Redis server end with a parent that is killed', async () => {
  const idle = await program('left', `setInterval(() => {}, 1000);`);
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const parent = `
    import { startProcess } from ${module('processes.ts')};
    import { startRedis } from ${module('embedded-redis.ts')};
    const child = await startProcess({ name: 'left', args: [${JSON.stringify(idle)}], env: {} });
    const redis = await startRedis({ dir: ${JSON.stringify(dir)} });
    console.log(child.pid + ' ' + redis.pid);
    setInterval(() => {}, 1000);
  `;
  const told = Promise.withResolvers<string>();
  const { PATH, REDIS_SERVER_BIN } = process.env;
  const running = await startProcess({
    name: 'parent',
    args: [await program('parent', parent)],
    env: { PATH, REDIS_SERVER_BIN },
    onLine: told.resolve,
  });
  const pids = (await told.promise).split(' ').map(Number);
  expect(pids.every(isAlive)).toBe(true);
  await running.stop('SIGKILL');
  // Sent by somebody else in the next moment: the test's own time-out is the limit.
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 10));
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
