import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { startRedisCluster, type ClusterNode, type EmbeddedRedisCluster, until } from '@bunri/testkit';
import * as z from 'zod';
import { createResultCache } from './cache.ts';
import { newRequestId } from './enqueue.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { createRecordStore } from './records.ts';
import { answers, closeRedis, connectConsumer, connectProducer, connectSubscriber } from './redis.ts';
import { sha256 } from './sha256.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const prefix = '{bunri}';
let cluster: EmbeddedRedisCluster;
let url: string;
beforeAll(async () => {
  cluster = await startRedisCluster();
  const [first, second] = cluster.seeds;
  url = `redis+cluster://:${cluster.password}@${first}?nodes=${second}`;
});
afterAll(async () => await cluster.stop());

const opened: Redis[] = [];
afterEach(async () => {
  await closePipelines();
  await Promise.all(opened.splice(0).map(closeRedis));
});
function open(connect: typeof connectConsumer, under = prefix): Redis {
  const redis = connect({ url, prefix: under, name: 'cluster-test', log });
  opened.push(redis);
  return redis;
}

const untilSo = async (isSo: () => Promise<boolean>) => await until(async () => await isSo().catch(() => false));

/** Of the first node and its replica, which change places: who has the keys now, and who follows. */
async function pair(): Promise<{ primary: ClusterNode; replica: ClusterNode }> {
  const [first, , , last] = cluster.nodes;
  const isPrimary = /role:master/.test(await first.admin.info('replication'));
  return isPrimary ? { primary: first, replica: last } : { primary: last, replica: first };
}

async function failOver({ replica }: { replica: ClusterNode }): Promise<void> {
  await replica.admin.cluster('FAILOVER');
  await untilSo(async () => /role:master/.test(await replica.admin.info('replication')));
}

describe('a client of a cluster', () => {
  test('works on the node that has its keys, whichever it was told of', async () => {
    const redis = open(connectConsumer);
    const { primary } = await pair();
    const metrics = createMetrics({ app: 'test', processMetrics: false });
    const cache = createResultCache({ redis, prefix, metrics });
    for (const image of [{}, { image: sha256('photo') }]) {
      await cache.set('answer', 'key', image, image);
      expect(await cache.get('answer', 'key', z.unknown())).toEqual(image);
    }
    expect((await metrics.cacheRefusals.get()).values).toEqual([]);
    await redis.set(`${prefix}:a`, '1');
    expect(await primary.admin.get(`${prefix}:a`)).toBe('1');
    expect(await redis.info('server')).toContain(`tcp_port:${primary.port}\r`);
    expect(await redis.multi().incr(`${prefix}:a`).get(`${prefix}:a`).exec()).toEqual([
      [null, 2],
      [null, '2'],
    ]);
    const blocking = redis.duplicate();
    opened.push(blocking);
    expect(await blocking.client('GETNAME')).toBe('cluster-test');
    expect(await blocking.info('server')).toContain(`tcp_port:${primary.port}\r`);
  });

  test('without a prefix that keeps all keys in one slot is refused', () => {
    expect(() => connectConsumer({ url, name: 'test', log })).toThrow(/a name in braces, such as \{bunri\}/);
    expect(() => connectConsumer({ url, prefix: 'bunri', name: 'test', log })).toThrow(/a name in braces/);
  });

  test('fails at once as a producer, and waits as a consumer, while nobody serves its slot', async () => {
    const under = '{unserved}';
    const [producer, consumer] = [open(connectProducer, under), open(connectConsumer, under)];
    await untilSo(async () => (await producer.set(`${under}:a`, '1')) === 'OK');
    await consumer.get(`${under}:a`);
    const { primary } = await pair();
    const slot = await primary.admin.cluster('KEYSLOT', under);
    await primary.admin.cluster('DELSLOTS', slot);

    await expect(producer.get(`${under}:a`)).rejects.toThrow(/^CLUSTERDOWN/);
    await expect(producer.get(`${under}:a`)).rejects.toThrow(/isn't writeable/);
    expect(await answers(producer, 1_000)).toBe(false);
    const [waiting, half] = [consumer.append(`${under}:a`, '2'), consumer.multi().incr(`${under}:b`).exec()];
    await expect(half).rejects.toThrow(/^EXECABORT|aborted|closed/);
    let done = false;
    void waiting.then(() => (done = true));
    // It has looked for somebody who does, and found nobody, twice.
    for (let i = 0; i < 2; i += 1) await new Promise((resolve) => consumer.once('error', resolve));
    expect(done).toBe(false);

    await primary.admin.cluster('ADDSLOTS', slot);
    expect(await waiting).toBe(2);
    expect(await consumer.mget(`${under}:a`, `${under}:b`)).toEqual(['12', null]);
    await untilSo(async () => await answers(producer, 1_000));
  });

  test('goes with its slot to another node, and its subscriptions too', async () => {
    const under = '{moving}';
    const [redis, subscriber] = [open(connectConsumer, under), open(connectSubscriber, under)];
    const heard: string[] = [];
    subscriber.on('message', (_, message) => heard.push(message));
    await subscriber.subscribe(`${under}:news`);
    await redis.set(`${under}:a`, '1');
    const blocking = redis.duplicate();
    opened.push(blocking);
    const popped = blocking.blpop(`${under}:list`, 0);
    const { primary: from } = await pair();
    const [, to] = cluster.nodes;
    const slot = await redis.cluster('KEYSLOT', under);

    await to.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id);
    await from.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id);
    await from.admin.call('MIGRATE', '127.0.0.1', to.port, `${under}:a`, 0, 5_000, 'AUTH', cluster.password);
    // What has gone ahead is waited for: it must not be seen at two nodes.
    const ahead = redis.append(`${under}:a`, '2');
    await expect(redis.multi().incr(`${under}:b`).exec()).rejects.toThrow(/^EXECABORT/);
    await expect(open(connectProducer, under).get(`${under}:a`).catch(String)).resolves.toMatch(/ASK|writeable/);
    await to.admin.cluster('SETSLOT', slot, 'NODE', to.id);
    await from.admin.cluster('SETSLOT', slot, 'NODE', to.id);

    expect(await ahead).toBe(2);
    expect(await to.admin.mget(`${under}:a`, `${under}:b`)).toEqual(['12', null]);
    await redis.rpush(`${under}:list`, 'x');
    expect(await popped).toEqual([`${under}:list`, 'x']);
    await untilSo(async () => await answers(subscriber, 1_000));
    expect(await subscriber.info('server')).toContain(`tcp_port:${to.port}\r`);
    await untilSo(async () => {
      await redis.publish(`${under}:news`, 'moved');
      return heard.includes('moved');
    });
  });
});

test('a script whose slot is being moved away does nothing by half, and all of it afterwards', async () => {
  const under = '{halves}';
  const redis = open(connectConsumer, under);
  const records = createRecordStore({ redis, prefix: under });
  const id = newRequestId();
  const run = { id, stage: 'llm', token: 'one:1' } as const;
  await records.accept({
    id,
    owner: 'ann',
    question: '이거 어떻게 버려요?',
    locale: 'ko',
    source: { kind: 'url', url: 'https://example.com/a.jpg' },
    priority: 'batch',
    createdAt: Date.now(),
    deadlineAt: Date.now() + 600_000,
  });
  await records.start(run);
  const { primary: from } = await pair();
  const [, to] = cluster.nodes;
  const slot = await redis.cluster('KEYSLOT', under);
  const move = async (...names: string[]) =>
    await from.admin.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'AUTH', cluster.password, 'KEYS', ...names);

  await to.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id);
  await from.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id);
  // The record is still here, and what the end of a request changes besides is not.
  await move(records.keys.deadlines);
  const producer = createRecordStore({ redis: open(connectProducer, under), prefix: under });
  await untilSo(async () => (await producer.redis.hget(records.keys.record(id), 'status')) === 'running');
  await expect(producer.cancel(id)).rejects.toThrow(/^TRYAGAIN/);
  const refused = async () => Number(/errorstat_TRYAGAIN:count=(\d+)/.exec(await from.admin.info('errorstats'))?.[1]);
  const before = await refused();
  const finished = records.finish(run, { output: {}, durationMs: 1, cached: false });
  await untilSo(async () => (await refused()) > before);
  expect(await redis.hget(records.keys.record(id), 'status')).toBe('running');
  await move(...(await from.admin.cluster('GETKEYSINSLOT', slot, 100)));
  await to.admin.cluster('SETSLOT', slot, 'NODE', to.id);
  await from.admin.cluster('SETSLOT', slot, 'NODE', to.id);

  expect(await finished).toEqual({ outcome: 'finished' });
  expect((await records.events(id, 0)).map(({ type }) => type)).toEqual([
    'accepted',
    'stage.started',
    'stage.completed',
    'completed',
  ]);
  expect(await records.finishedBefore(Infinity, 10)).toEqual([id]);
});

describe('the pipeline on a cluster', () => {
  const begin = async () => {
    const runs = new Map<string, number>();
    const pipeline = await startPipeline(
      {
        vision: async ({ jobId }) => {
          runs.set(jobId, (runs.get(jobId) ?? 0) + 1);
          await new Promise((resolve) => setTimeout(resolve, 50));
          return outputs.vision;
        },
      },
      { concurrency: 5, at: { prefix, connect: () => open(connectConsumer) } },
    );
    return { ...pipeline, visionRuns: runs };
  };

  test('ends requests and tells their events, also while its primary gives its place to the replica', async () => {
    const { submit, ended, visionRuns } = await begin();
    const first = await ended(await submit());
    expect(first.record).toMatchObject({ status: 'completed' });
    expect(first.types.at(-1)).toBe('completed');

    const submitted: string[] = [];
    const load = (async () => {
      for (let i = 0; i < 60; i += 1) {
        // A client whose request was not accepted is told so.
        await submit().then(
          (id) => submitted.push(id),
          () => undefined,
        );
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await untilSo(async () => await Promise.resolve(submitted.length > 10));
    await failOver(await pair());
    await load;
    expect(submitted.length).toBeGreaterThan(50);
    for (const id of submitted) {
      const { record, types } = await ended(id);
      expect(record).toMatchObject({ status: 'completed' });
      expect(types.filter((type) => type === 'completed')).toHaveLength(1);
    }
    expect([...visionRuns.values()].filter((count) => count > 1)).toEqual([]);
  });

  test('loses no request that its replica has when its primary is killed', async () => {
    const { submit, ended, redis } = await begin();
    const { primary, replica } = await pair();
    await untilSo(async () => /master_link_status:up/.test(await replica.admin.info('replication')));
    const submitted = await Promise.all(Array.from({ length: 40 }, async () => await submit()));
    expect(await redis.wait(1, 10_000)).toBe(1);
    process.kill(primary.pid, 'SIGKILL');
    // The others would find out by themselves and vote, much later.
    await replica.admin.cluster('FAILOVER', 'TAKEOVER');
    for (const id of submitted) {
      const { record, types } = await ended(id);
      expect(record).toMatchObject({ status: 'completed' });
      expect(types.filter((type) => type === 'completed')).toHaveLength(1);
    }
    expect(await replica.admin.info('replication')).toContain('role:master');
  });
});
