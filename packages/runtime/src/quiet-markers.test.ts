import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Queue, Worker, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { startRedis, until, type EmbeddedRedis } from '@bunri/testkit';
import { quietMarkers } from './quiet-markers.ts';

// A Redis that nobody else uses: ioredis takes what a monitor hears before its own answer for an answer.
let server: EmbeddedRedis;
beforeAll(async () => {
  server = await startRedis({ binary: process.env['REDIS_SERVER_BIN'] });
});
afterAll(async () => await server.stop());

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function connect(): Redis {
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  closers.push(async () => await redis.quit());
  return redis;
}

/** A queue with two workers of one slot each, which wait for jobs. */
async function startWorkers(run: (job: Job) => Promise<void>) {
  const prefix = `{t${randomUUID()}}`;
  const queue = new Queue('q', { connection: connect(), prefix });
  closers.push(async () => {
    await queue.obliterate({ force: true });
    await queue.close();
  });
  for (let i = 0; i < 2; i += 1) {
    const redis = connect();
    const worker = new Worker('q', run, { connection: redis, prefix, autorun: false });
    await worker.waitUntilReady();
    expect(quietMarkers(redis)).toBeGreaterThanOrEqual(2);
    void worker.run();
    closers.push(async () => await worker.close(true));
  }
  await delay(300);
  return { queue, prefix };
}

/** Who begins to wait for a job from now on, each time. */
async function watchWaits(prefix: string): Promise<string[]> {
  const monitor = await connect().monitor();
  closers.push(async () => await Promise.resolve(monitor.disconnect()));
  const waits: string[] = [];
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    const [command = '', key = ''] = args;
    if (command.toLowerCase() === 'bzpopmin' && key.startsWith(prefix)) waits.push(source);
  });
  return waits;
}

test('a job that is the only one wakes one worker', async () => {
  const { queue, prefix } = await startWorkers(async () => await delay(100));
  const waits = await watchWaits(prefix);
  for (let i = 0; i < 3; i += 1) {
    await queue.add('job', {}, { priority: 1 });
    await until(() => waits.length > i);
    await delay(200);
  }
  // Who has had a job waits again; the other has not stopped.
  expect(waits).toHaveLength(3);
});

test('while a job is delayed each worker is told of it', async () => {
  const { queue, prefix } = await startWorkers(async () => await delay(100));
  await queue.add('delayed', {}, { delay: 60_000 });
  await delay(300);
  const waits = await watchWaits(prefix);
  await queue.add('job', {});
  await until(() => new Set(waits).size === 2);
  expect(new Set(waits).size).toBe(2);
});

test.each([
  ['a waiting job', {}],
  ['a job with a priority', { priority: 1 }],
])('%s beside the one that is taken wakes the next worker', async (_what, options) => {
  const started: string[] = [];
  const running = Promise.withResolvers<void>();
  closers.push(async () => await Promise.resolve(running.resolve()));
  const { queue } = await startWorkers(async ({ name }) => {
    started.push(name);
    await running.promise;
  });
  // As if they came while nobody listened: there is one mark for both.
  await queue.pause();
  await queue.addBulk([
    { name: 'other', data: {}, opts: options },
    { name: 'taken', data: {} },
  ]);
  await queue.resume();
  await until(() => started.length === 2);
  expect(started.toSorted()).toEqual(['other', 'taken']);
});
