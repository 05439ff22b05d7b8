import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FlowProducer, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { leanTransactions } from './lean-transactions.ts';

let redis: Redis;
beforeAll(() => {
  redis = new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
});
afterAll(async () => await redis.quit());

test('transactions carry a few scripts, and flows, bulks, schedulers and all other calls work as before', async () => {
  const prefix = `{t${randomUUID()}}`;
  const flows = new FlowProducer({ connection: redis, prefix });
  await flows.waitUntilReady();
  redis.defineCommand('bunri_testOwn', { lua: 'return 7', numberOfKeys: 0 });
  const scriptsIn = (commands: object) => Object.keys(commands).filter((name) => /:6\.|^bunri_/.test(name)).length;
  const before = scriptsIn(redis.multi());
  leanTransactions(redis);
  expect(scriptsIn(redis.multi())).toBeLessThan(before / 4);

  const opts = { priority: 3 };
  const tree = { name: 'parent', queueName: 'q', children: [{ name: 'child', queueName: 'q', opts }] };
  const { job: parent } = await flows.add({ ...tree, opts: { delay: 50 } });
  await flows.add({ name: 'alone', queueName: 'q' });
  const queue = new Queue('q', { connection: redis, prefix });
  const [bulked] = await queue.addBulk([{ name: 'bulk', data: {}, opts: { delay: 60_000 } }]);
  // Its first job waits at once.
  await queue.upsertJobScheduler('tick', { every: 60_000 }, { name: 'tick' });
  expect(await queue.getJobCounts('wait', 'prioritized', 'waiting-children')).toEqual({
    wait: 2,
    prioritized: 1,
    'waiting-children': 1,
  });
  await bulked?.promote();
  expect(await bulked?.getState()).toBe('waiting');
  expect(await parent.getState()).toBe('waiting-children');
  const own = redis as unknown as { bunri_testOwn(): Promise<number> };
  expect(await own.bunri_testOwn()).toBe(7);
  await queue.obliterate({ force: true });
  await queue.close();
  await flows.close();
});
