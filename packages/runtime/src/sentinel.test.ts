import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Redis } from 'ioredis';
import { expect, test } from '@jest/globals';
import { findRedisServer, freePort, killWithParent, startRedis, until } from '@bunri/testkit';
import { createLogger } from './log.ts';
import { closeRedis, connectConsumer } from './redis.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });

async function startSentinel(folder: string, primaryPort: number): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const settings = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor mymaster 127.0.0.1 ${primaryPort} 1`,
    'sentinel down-after-milliseconds mymaster 500',
    'sentinel failover-timeout mymaster 3000',
  ];
  await writeFile(`${folder}/sentinel.conf`, `${settings.join('\n')}\n`);
  const child = spawn(await findRedisServer(), [`${folder}/sentinel.conf`, '--sentinel'], {
    argv0: 'redis-server',
    stdio: 'ignore',
  });
  killWithParent(child);
  return { child, port };
}

test('a client by way of Sentinel goes on at the new primary when the old one is lost', async () => {
  const folder = await mkdtemp(`${tmpdir()}/bunri-sentinel-`);
  const primary = await startRedis();
  const replica = await startRedis();
  const admin = new Redis(replica.url);
  await admin.replicaof('127.0.0.1', primary.port);
  const sentinel = await startSentinel(folder, primary.port);
  const watcher = new Redis(sentinel.port, '127.0.0.1');
  const redis = connectConsumer({
    url: `redis+sentinel://mymaster?sentinels=127.0.0.1:${sentinel.port}`,
    name: 'test',
    log,
  });
  try {
    await redis.set('before', '1');
    // The sentinel must know the replica, and the replica the key.
    await untilSo(async () => ((await watcher.call('SENTINEL', 'REPLICAS', 'mymaster')) as unknown[]).length === 1);
    await untilSo(async () => (await admin.get('before')) === '1');
    await primary.stop();
    await redis.set('after', '2');
    expect(await admin.mget('before', 'after')).toEqual(['1', '2']);
  } finally {
    await closeRedis(redis);
    admin.disconnect();
    watcher.disconnect();
    sentinel.child.kill();
    await once(sentinel.child, 'close');
    await primary.stop();
    await replica.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

const untilSo = async (isSo: () => Promise<boolean>) => await until(async () => await isSo().catch(() => false));
