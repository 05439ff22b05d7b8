import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openOperator } from '@bunri/runtime';
import { startRedis, type EmbeddedRedis } from '@bunri/testkit';
import { openTestShell } from '../command-fixture.ts';
import { judgeRedis, type Check } from './redis-check.ts';
import type { RedisFacts } from './redis-facts.ts';

let server: EmbeddedRedis;
beforeAll(async () => {
  server = await startRedis({ binary: process.env['REDIS_SERVER_BIN'], appendOnly: true });
});
afterAll(async () => await server.stop());

const checksIn = (out: string) => (JSON.parse(out) as { checks: Check[] }).checks;

test('a Redis as it should be passes, and one that evicts or keeps nothing fails with what to do', async () => {
  const shell = await openTestShell({ REDIS_URL: server.url });
  const { redis } = shell.operator;
  const good = await shell.bunri(['queues', 'redis', '--json']);
  expect(checksIn(good.out).filter(({ verdict }) => verdict === 'fail')).toEqual([]);
  expect(good.code).toBe(0);

  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await redis.config('SET', 'appendonly', 'no');
  const bad = await shell.bunri(['queues', 'redis']);
  expect(bad.code).toBe(1);
  expect(bad.out).toMatch(/^fail +eviction policy +allkeys-lru +set maxmemory-policy noeviction/m);
  expect(bad.out).toMatch(/^fail +persistence +none +set appendonly yes/m);
  expect(bad.out).toMatch(/^ok +version/m);
  await redis.config('SET', 'maxmemory-policy', 'noeviction');
  await shell.close();
});

test('a replica is told from a primary', async () => {
  const replica = await startRedis({ binary: process.env['REDIS_SERVER_BIN'] });
  const operator = await openOperator({ REDIS_URL: replica.url });
  await operator.redis.replicaof('127.0.0.1', server.port);
  const shell = await openTestShell({ REDIS_URL: replica.url });
  const { code, out } = await shell.bunri(['queues', 'redis']);
  expect(code).toBe(1);
  expect(out).toMatch(/^fail +role +slave/m);
  await shell.operator.close();
  await operator.close();
  await replica.stop();
});

const good: RedisFacts = {
  version: '7.2.4',
  mode: 'standalone',
  role: 'master',
  replicas: 0,
  evictionPolicy: 'noeviction',
  evictedKeys: 0,
  memoryLimitBytes: 1000,
  memoryUsedBytes: 100,
  appendOnly: true,
  appendOnlyWrites: 'ok',
  appendFsync: 'everysec',
  snapshots: '',
  lastSnapshot: 'ok',
  hz: 10,
  clients: 10,
  mostClients: 100,
  latencyMs: { median: 0.2, worst: 1 },
  clockOffsetMs: 3,
  holdsPrefix: true,
  followsCluster: false,
};

test('what is right is ok in every check', () => {
  expect(judgeRedis(good).map(({ verdict, advice }) => [verdict, advice])).toEqual(
    judgeRedis(good).map(() => ['ok', null]),
  );
});

test.each<[string, Partial<RedisFacts>, string, Check['verdict']]>([
  ['an old version', { version: '6.0.16' }, 'version', 'fail'],
  ['a version before the tested one', { version: '6.2.14' }, 'version', 'warn'],
  ['a sentinel', { mode: 'sentinel' }, 'mode', 'fail'],
  ['the wrong node of a cluster', { mode: 'cluster', holdsPrefix: false }, 'mode', 'fail'],
  ['the right node of a cluster, alone', { mode: 'cluster' }, 'mode', 'warn'],
  ['a cluster', { mode: 'cluster', followsCluster: true }, 'mode', 'ok'],
  ['keys that were evicted once', { evictedKeys: 4 }, 'eviction policy', 'warn'],
  ['snapshots alone', { appendOnly: false, snapshots: '3600 1' }, 'persistence', 'warn'],
  ['no file but a replica', { appendOnly: false, replicas: 1 }, 'persistence', 'warn'],
  ['no file and settings that nobody may read', { appendOnly: false, snapshots: null }, 'persistence', 'fail'],
  ['a full disk', { appendOnlyWrites: 'err' }, 'persistence', 'fail'],
  ['no fsync', { appendFsync: 'no' }, 'persistence', 'warn'],
  ['an unknown fsync', { appendFsync: null }, 'persistence', 'ok'],
  ['a snapshot that failed', { lastSnapshot: 'err' }, 'last snapshot', 'fail'],
  ['no limit', { memoryLimitBytes: 0 }, 'memory', 'warn'],
  ['little room', { memoryUsedBytes: 700 }, 'memory', 'warn'],
  ['no room', { memoryUsedBytes: 850 }, 'memory', 'fail'],
  ['slow timers', { hz: 1 }, 'hz', 'warn'],
  ['many connections', { clients: 81 }, 'connections', 'warn'],
  ['an unknown limit of connections', { mostClients: null }, 'connections', 'ok'],
  ['a long way', { latencyMs: { median: 6, worst: 9 } }, 'latency', 'warn'],
  ['a very long way', { latencyMs: { median: 60, worst: 90 } }, 'latency', 'fail'],
  ['a clock that is wrong', { clockOffsetMs: -2_500 }, 'clock', 'warn'],
])('%s is found', (_name, facts, check, verdict) => {
  const found = judgeRedis({ ...good, ...facts }).filter((each) => each.verdict !== 'ok');
  expect(found.map((each) => [each.check, each.verdict])).toEqual(verdict === 'ok' ? [] : [[check, verdict]]);
});
