import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis } from './embedded-redis.ts';
import { startTcpProxy } from './tcp-proxy.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

async function redisBehindProxy(delayMs?: number) {
  const server = await startRedis({ binary: process.env['REDIS_SERVER_BIN'] });
  releases.push(async () => await server.stop());
  const proxy = await startTcpProxy({ targetPort: server.port, ...(delayMs === undefined ? {} : { delayMs }) });
  releases.push(async () => await proxy.stop());
  return proxy;
}

function connectTo(port: number): Redis {
  const redis = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 20, maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  releases.push(() => redis.disconnect());
  return redis;
}

test('bytes pass both ways unchanged, large ones too', async () => {
  const redis = connectTo((await redisBehindProxy()).port);
  const large = 'x'.repeat(5_000_000);
  await redis.set('key', large);
  expect(await redis.get('key')).toBe(large);
});

test('a refusing proxy resets what is open and takes nothing new, and its port works again afterwards', async () => {
  const proxy = await redisBehindProxy();
  const redis = connectTo(proxy.port);
  await redis.ping();
  const closed = new Promise((resolve) => redis.once('close', resolve));
  await proxy.setMode('refuse');
  await closed;
  const refused = await new Promise<Error>((resolve) => redis.once('error', resolve));
  expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.setMode('pass');
  expect(await redis.ping()).toBe('PONG');
});

test('in a black hole connections stay open and silent, and what was sent comes late', async () => {
  const proxy = await redisBehindProxy();
  const redis = connectTo(proxy.port);
  await redis.ping();
  await proxy.setMode('blackhole');
  let answered = false;
  const late = redis.ping().then((answer) => {
    answered = true;
    return answer;
  });
  // Longer than a round trip takes by far: one that is not held up has come back by then.
  const direct = connectTo((await redisBehindProxy()).port);
  for (let i = 0; i < 20; i += 1) await direct.ping();
  expect([answered, redis.status]).toEqual([false, 'ready']);
  await proxy.setMode('pass');
  expect(await late).toBe('PONG');
});

test('a delaying proxy makes a round trip longer by twice its delay', async () => {
  const proxy = await redisBehindProxy(50);
  const redis = connectTo(proxy.port);
  await redis.ping();
  await proxy.setMode('delay');
  const startedAt = performance.now();
  await redis.ping();
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(95);
});

test('after a change of the target new connections go there, and old ones stay until they are cut', async () => {
  const ports = await Promise.all(['one', 'two'].map(async (name) => await nameServer(name)));
  const proxy = await startTcpProxy({ targetPort: ports[0] ?? 0 });
  releases.push(async () => await proxy.stop());
  const read = async () => await (await fetch(`http://127.0.0.1:${proxy.port}`)).text();
  expect(await read()).toContain('one');
  proxy.retarget(ports[1] ?? 0, { cut: true });
  expect(await read()).toContain('two');
});

/** Answers every connection with its name, and closes it. */
async function nameServer(name: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${name.length}\r\n\r\n${name}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  releases.push(() => server.close());
  return (server.address() as AddressInfo).port;
}
