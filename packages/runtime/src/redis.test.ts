import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, jest, test } from '@jest/globals';
import type { Command, Redis } from 'ioredis';
import { watchMachine } from '@bunri/testkit/machine-watch';
import { createCommandTimeouts } from './command-timeouts.ts';
import { createLogger } from './log.ts';
import { BatchingRedis } from './redis-batching.ts';
import { answers, closeRedis, connectConsumer, connectProducer, watchRedis } from './redis.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const url = process.env['REDIS_URL'] ?? '';

test('a producer fails within a second while Redis is away', async () => {
  const redis = connectProducer({ url: 'redis://127.0.0.1:9', name: 'test', log });
  const machine = await watchMachine();
  const startedAt = Date.now();
  await expect(redis.get('x')).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) });
  expect(await machine.ranMs(startedAt, Date.now())).toBeLessThan(1_000);
  await machine.stop();
  await closeRedis(redis);
});

function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('what Redis has answered while the process stood still counts as answered', async () => {
  const redis = new BatchingRedis(url, { commandTimeout: 700 });
  await redis.ping();
  const asked: Promise<unknown>[] = [redis.echo('first'), redis.multi().echo('second').exec(), answers(redis, 100)];
  await new Promise((resolve) => setImmediate(resolve));
  // This one has not even left.
  asked.push(redis.echo('last'));
  standStill(1_500);
  expect(await Promise.all(asked)).toMatchObject(['first', [[null, 'second']], true, 'last']);
  await closeRedis(redis);
});

test('a command that is not answered in time is rejected', async () => {
  const server = createServer((socket) => void socket.resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const redis = new BatchingRedis({ port: (server.address() as AddressInfo).port, commandTimeout: 100 });
  const asked = await Promise.allSettled([redis.echo('first'), redis.echo('second')]);
  const late = { status: 'rejected', reason: { message: 'Command timed out' } };
  expect(asked).toMatchObject([late, late]);
  redis.disconnect();
  await new Promise((resolve) => server.close(resolve));
});

test('what was sent at the end of a standstill has no more time than what is sent later, and keeps no process alive', () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'performance'] });
  let now = 0;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
  const rejected: string[] = [];
  const send = (name: string) => {
    const command = { isSettled: false, reject: () => void rejected.push(name) };
    timeouts.add(command as unknown as Command);
  };
  const look = (at: number) => {
    now = at;
    jest.runOnlyPendingTimers();
  };
  const timeouts = createCommandTimeouts(1_000);
  try {
    send('before');
    now = 4_000;
    send('after');
    look(4_000);
    expect(rejected).toEqual([]);
    look(4_500);
    expect(rejected).toEqual(['before']);
    look(5_000);
    expect(rejected).toEqual(['before', 'after']);
  } finally {
    clock.mockRestore();
    jest.useRealTimers();
  }
  const timersThatKeepAlive = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timersThatKeepAlive();
  send('last');
  expect(timersThatKeepAlive()).toBe(before);
});

test('a connection is not given up for a Redis that stood still with this process', async () => {
  let ping = (): void => undefined;
  const redis = { ping: async () => await new Promise<void>((resolve) => (ping = resolve)) } as unknown as Redis;
  const asked = answers(redis, 100);
  standStill(600);
  // When this process goes on, Redis does not yet.
  await new Promise((resolve) => setTimeout(resolve, 50));
  ping();
  expect(await asked).toBe(true);
  expect(await answers(redis, 100)).toBe(false);
});

test('whether Redis is up is told as it changes', async () => {
  const states: number[] = [];
  const redis = connectConsumer({ url, name: 'test', log, onUp: (up) => states.push(up) });
  expect(await answers(redis, 1_000)).toBe(true);
  const down = new Promise((resolve) => redis.once('close', resolve));
  await closeRedis(redis);
  await down;
  expect(states).toEqual([1, 0]);
});

test('a connection that is open but dead is given up and made again', async () => {
  // A way to Redis that can fall silent without closing, as a lost peer does.
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  let silent = false;
  const again = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    if (silent) again.resolve();
    const upstream = connect(Number(port), hostname);
    sockets.push(socket, upstream);
    socket.on('error', () => upstream.destroy()).on('data', (data) => upstream.write(data));
    upstream.on('error', () => socket.destroy()).on('data', (data) => void (silent || socket.write(data)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const redis = connectConsumer({ url: through, name: 'test', log });
  await new Promise((resolve) => redis.once('ready', resolve));
  const end = watchRedis(redis, { log, intervalMs: 20, timeoutMs: 50 });
  silent = true;
  await again.promise;
  expect(sockets.length).toBeGreaterThan(2);
  end();
  redis.disconnect();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
