import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { failure, webhookQueue } from '@bunri/queue-contracts';
import { until } from '@bunri/testkit/until';
import { startProcess } from '@bunri/testkit';
import { createDispatcher } from './dispatcher.ts';
import type { WebhookJob } from './events.ts';
import { endedRequest, log, startReceiver, startWorld, type Answer, type World } from './test-receiver.ts';

let world: World;
const open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world.close();
  for (const one of open.splice(0)) await one.close();
});

async function receiver(answer?: Answer) {
  const one = await startReceiver(answer);
  open.push(one);
  return one;
}

const outbox = async (): Promise<string[]> => await world.redis.zrange(world.records.keys.outbox, 0, '-1');
const statusOf = async (id: string) => await world.deliveries.status(id);

describe('an end', () => {
  test.each(['completed', 'failed', 'canceled', 'cached'])(
    '(%s) is in the outbox once, with the end itself',
    async (how) => {
      const { records } = world;
      const id = await endedRequest(records, 'https://example.com/', { end: false });
      expect(await outbox()).toEqual([]);
      const run = { id, stage: 'llm', token: 'run-1' } as const;
      if (how === 'completed') {
        await records.start(run);
        await records.finish(run, { output: { n: 1 }, durationMs: 5, cached: false });
        await records.cancel(id);
      } else if (how === 'failed') {
        await records.fail(id, failure('model_refused', 'The model refused.', 'llm'));
      } else if (how === 'canceled') {
        await records.cancel(id);
      } else {
        const known = await records.get(id);
        if (!known) throw new Error('the record is gone');
        await records.remove(id, 'ann');
        await records.accept(known.request, {
          answer: { outputs: { preprocess: {}, vision: {}, rag: {}, llm: {} } },
        });
      }
      const seq = (await records.get(id))?.lastSeq;
      expect(await outbox()).toEqual([`classification.${how === 'cached' ? 'completed' : how} ${id} ${seq}`]);
    },
  );

  test('of a request that nobody wants to be told of leaves nothing behind, nor does that of a replay', async () => {
    const { records } = world;
    const id = await endedRequest(records, undefined);
    const record = await records.get(await endedRequest(records, 'https://example.com/', { end: false }));
    if (!record) throw new Error('the record is gone');
    await records.remove(record.request.id, 'ann');
    await records.accept({ ...record.request, replay: { of: id } });
    await records.cancel(record.request.id);
    expect(await outbox()).toEqual([]);
    expect(await world.redis.hget(records.keys.record(id), 'webhook')).toBeNull();
  });
});

describe('nothing is lost and nothing is told under two ids when the process dies', () => {
  const dispatcher = (queue: Pick<Queue<WebhookJob>, 'addBulk'>) => {
    const { redis, prefix, deliveries, sources, metrics } = world;
    return createDispatcher({ redis, prefix, queue, deliveries, sources, metrics, log, now: Date.now });
  };

  test('between queueing an event and taking it from the outbox', async () => {
    const { url, received } = await receiver();
    await endedRequest(world.records, url);
    const queue = new Queue<WebhookJob>(webhookQueue, { connection: world.redis, prefix: world.prefix });
    const dies = async (...jobs: Parameters<typeof queue.addBulk>): Promise<never> => {
      await queue.addBulk(...jobs);
      throw new Error('killed');
    };
    await expect(dispatcher({ addBulk: dies }).dispatch()).rejects.toThrow('killed');
    expect(await outbox()).toHaveLength(1);
    await Promise.all([dispatcher(queue).dispatch(), dispatcher(queue).dispatch()]);
    expect(await outbox()).toEqual([]);
    expect(await queue.getJobCounts('wait', 'delayed', 'active')).toMatchObject({ wait: 1, delayed: 0, active: 0 });
    await world.serve();
    await until(async () => (await queue.getCompletedCount()) === 1);
    expect(received).toHaveLength(1);
    await queue.close();
  });

  test('after telling it, before it has left the outbox', async () => {
    const { url, received } = await receiver();
    await endedRequest(world.records, url);
    const [entry = ''] = await outbox();
    await world.serve();
    await until(async () => (await world.deliveries.list('ann', { status: 'delivered', limit: 5 }))?.data.length === 1);
    const queue = new Queue<WebhookJob>(webhookQueue, { connection: world.redis, prefix: world.prefix });
    await until(async () => (await queue.getCompletedCount()) === 1);
    await queue.obliterate({ force: true });
    await world.redis.zadd(world.records.keys.outbox, Date.now(), entry);
    await until(async () => (await queue.getCompletedCount()) === 1);
    await queue.close();
    expect(received).toHaveLength(1);
  });

  test('in the middle of an attempt, by kill -9', async () => {
    const { url, received } = await receiver((response, count) => {
      if (count > 1) response.end();
    });
    await endedRequest(world.records, url);
    const child = await startProcess({
      name: 'webhooks',
      args: [fileURLToPath(new URL('test-process.ts', import.meta.url))],
      env: {
        PATH: process.env['PATH'],
        REDIS_URL: process.env['REDIS_URL'],
        PREFIX: world.prefix,
        SECRET_KEY: world.secretKey.toString('base64'),
      },
    });
    await until(() => received.length === 1);
    await child.stop('SIGKILL');
    await world.serve({ lock: { durationMs: 5_000, stalledCheckMs: 200 } });
    await until(() => received.length === 2);
    const ids = received.map(({ headers }) => headers['webhook-id']);
    expect(ids[0]).toBe(ids[1]);
    await until(async () => (await statusOf(ids[0] ?? '')) === 'delivered');
  });

  test('an event of a kind that is not known stays, and holds up no other', async () => {
    const { url, received } = await receiver();
    const { outbox: key } = world.records.keys;
    for (let i = 0; i < 150; i += 1) await world.redis.zadd(key, i, `picnic.ended picnic_${i} 1`);
    await endedRequest(world.records, url);
    await world.serve();
    await until(() => received.length === 1);
    await until(async () => (await outbox()).length === 150);
    expect(received[0]?.body).toContain('classification.canceled');
  });
});

test('an event that can be read only later keeps its time', async () => {
  const { records, redis, prefix, deliveries, metrics } = world;
  await endedRequest(records, 'https://example.com/');
  const [entry = '', endedAt = ''] = await redis.zrange(records.keys.outbox, 0, '-1', 'WITHSCORES');
  const queue = new Queue<WebhookJob>(webhookQueue, { connection: redis, prefix });
  const given = { redis, prefix, queue, deliveries, metrics, log };
  let at = Date.now();
  const now = () => at;
  await createDispatcher({ ...given, now, sources: {} }).dispatch();
  expect(Number(await redis.zscore(records.keys.outbox, entry))).toBe(at + 60_000);
  expect(await redis.zscore(records.keys.outboxPostponed, entry)).toBe(endedAt);
  at += 60_000;
  await createDispatcher({ ...given, now, sources: {} }).dispatch();
  at += 60_000;
  await createDispatcher({ ...given, now, sources: world.sources }).dispatch();
  expect((await deliveries.list('ann', { limit: 5 }))?.data).toMatchObject([{ at: Number(endedAt) }]);
  expect(await redis.exists(records.keys.outbox, records.keys.outboxPostponed)).toBe(0);
  await queue.close();
});
