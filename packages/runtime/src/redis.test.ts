import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { createLogger } from './log.ts';
import { answers, closeRedis, connectConsumer, connectProducer, watchRedis } from './redis.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const url = process.env['REDIS_URL'] ?? '';

test('a producer fails within a second while Redis is away', async () => {
  const redis = connectProducer({ url: 'redis://127.0.0.1:9', name: 'test', log });
  const startedAt = performance.now();
  await expect(redis.get('x')).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  await closeRedis(redis);
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
