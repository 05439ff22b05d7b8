import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis } from './embedded-redis.ts';

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function redisSetting(client: Redis, name: string): Promise<unknown> {
  const nameAndValue: unknown[] = await client.call('CONFIG', 'GET', name).then((answer) => [answer].flat());
  return nameAndValue[1];
}

test('a stopped Redis leaves no process and no directory', async () => {
  const server = await startRedis();
  const client = new Redis(server.url);
  const dir = String(await redisSetting(client, 'dir'));
  expect(existsSync(dir)).toBe(true);
  expect(isAlive(server.pid)).toBe(true);
  client.disconnect();

  await server.stop();
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
  expect(existsSync(dir)).toBe(false);
});

test('it never evicts a key, looks after its timers 100 times a second and is reached by loopback alone', async () => {
  const server = await startRedis();
  const client = new Redis(server.url);
  const wanted = { 'maxmemory-policy': 'noeviction', hz: '100', bind: '127.0.0.1', appendonly: 'no' };
  for (const [name, value] of Object.entries(wanted)) expect(await redisSetting(client, name)).toBe(value);
  client.disconnect();
  await server.stop();
});

test('an append-only Redis killed and started again in its directory and port has its data', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bunri-kept-'));
  const first = await startRedis({ appendOnly: true, dir });
  const client = new Redis(first.url);
  await client.config('SET', 'appendfsync', 'always');
  await client.set('key', 'value');
  client.disconnect();
  process.kill(first.pid, 'SIGKILL');
  await first.stop();

  const second = await startRedis({ appendOnly: true, dir, port: first.port });
  const again = new Redis(second.url);
  expect(await again.get('key')).toBe('value');
  again.disconnect();
  await second.stop();
  expect(await readdir(dir)).not.toEqual([]);
  await rm(dir, { recursive: true });
});

test('a taken port is an error that shows what the server said', async () => {
  const squatter = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  const address = squatter.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(startRedis({ port })).rejects.toThrow(/address already in use/i);
  await new Promise((resolve) => squatter.close(resolve));
});

test('a program that is no Redis server is refused by name', async () => {
  await expect(startRedis({ binary: process.execPath })).rejects.toThrow(`${process.execPath} is not a Redis`);
});
