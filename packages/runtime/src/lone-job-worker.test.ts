import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { DelayedError, Queue, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { patienceMs, startRedis, until, type EmbeddedRedis } from '@bunri/testkit';
import { LoneJobWorker } from './lone-job-worker.ts';
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

interface Setting {
  readonly queue: Queue;
  readonly redis: Redis;
  readonly prefix: string;
  /** Names of the jobs, in their order. */
  readonly started: string[];
  readonly released: Promise<void>;
  readonly release: () => void;
}

/** As long as nothing else is asked, a job runs until `release` is called. */
async function runUntilReleased({ redis, released }: Setting, { name }: Job): Promise<void> {
  await redis.echo(name);
  await released;
}

/** A worker that has waited for a while, as `serveStage` starts it. */
async function startWorker(
  concurrency = 10,
  run: (setting: Setting, job: Job, token?: string) => Promise<void> = runUntilReleased,
): Promise<Setting> {
  const prefix = `{t${randomUUID()}}`;
  const queue = new Queue('q', { connection: connect(), prefix });
  const redis = connect();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const setting: Setting = { queue, redis, prefix, started: [], released, release };
  const process = async (job: Job, token?: string): Promise<void> => {
    setting.started.push(job.name);
    await run(setting, job, token);
  };
  const limiter = { max: 1_000_000, duration: 1000 };
  // A job that is overlooked is found only after that.
  const drainDelay = (2 * patienceMs) / 1000;
  const options = { connection: redis, prefix, autorun: false, concurrency, limiter, drainDelay };
  const worker = new LoneJobWorker('q', process, options);
  await worker.waitUntilReady();
  quietMarkers(redis);
  void worker.run();
  closers.push(async () => {
    release();
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
  });
  await delay(200);
  return setting;
}

/** The scripts that are called on this queue, and the names of jobs as they begin, in the order of the server. */
async function watch(prefix: string): Promise<string[]> {
  const monitor = await connect().monitor();
  closers.push(async () => await Promise.resolve(monitor.disconnect()));
  const seen: string[] = [];
  monitor.on('monitor', (_time: string, [command = '', first = '', , key = '']: string[]) => {
    if (command.toLowerCase() === 'echo') seen.push(first);
    if (command.toLowerCase().startsWith('eval') && key.startsWith(prefix)) seen.push('script');
  });
  return seen;
}

test('a job that comes alone begins before there is a look for another', async () => {
  const { queue, prefix } = await startWorker();
  // What a worker does at its start is over, also on a busy machine.
  await delay(1_000);
  const seen = await watch(prefix);
  for (const name of ['first', 'second']) {
    await queue.add(name, {}, { priority: 1 });
    await until(() => seen.includes(name));
    await delay(500);
  }
  // Each is added by one script and taken by one.
  expect(seen.slice(0, 3)).toEqual(['script', 'script', 'first']);
  expect(seen.slice(-3)).toEqual(['script', 'script', 'second']);
  expect(seen).toHaveLength(6);
});

test('jobs that come together all begin', async () => {
  const { queue, started } = await startWorker();
  const names = Array.from({ length: 10 }, (_, at) => `job ${at}`);
  await queue.addBulk(names.map((name) => ({ name, data: {}, opts: { priority: 1 } })));
  await until(() => started.length === names.length);
  expect(started.toSorted()).toEqual(names);
});

test('a delayed job begins when it is due, beside one that came alone', async () => {
  const { queue, started } = await startWorker();
  await queue.add('delayed', {}, { delay: 3_000, priority: 1 });
  await delay(100);
  await queue.add('alone', {}, { priority: 1 });
  await until(() => started.length === 2);
  expect(started).toEqual(['alone', 'delayed']);
});

test('a job that waited for a slot begins when there is one', async () => {
  const { queue, started, release } = await startWorker();
  const names = Array.from({ length: 12 }, (_, at) => `job ${at}`);
  for (const name of names) {
    await queue.add(name, {}, { priority: 1 });
    await delay(20);
  }
  await until(() => started.length >= 10);
  await delay(200);
  expect(started).toHaveLength(10);
  release();
  await until(() => started.length === names.length);
  expect(started.toSorted()).toEqual(names.toSorted());
});

test('who has one slot takes each job when it comes, also after one that came alone', async () => {
  const { queue, started, release } = await startWorker(1);
  release();
  for (const name of ['first', 'second', 'third']) {
    await queue.add(name, {}, { priority: 1 });
    await until(() => started.at(-1) === name);
    // The look after it is over.
    await delay(150);
  }
  expect(started).toEqual(['first', 'second', 'third']);
});

test('a job that is put off is heard of by who waits, though the look after it found one that came alone', async () => {
  const putOff = async () => {
    const other = connect();
    const { queue, started } = await startWorker(10, async ({ queue, prefix, started, released }, job, token) => {
      if (job.name === 'meanwhile') return await released;
      if (started.length > 1) return;
      // Another process that waits has the mark of the job that comes now.
      void other.bzpopmin(`${prefix}:q:marker`, 1);
      await delay(100);
      await job.moveToDelayed(Date.now() + 300, token);
      await delay(20);
      // Added while this one is handed back, so that the look after it finds it.
      void queue.add('meanwhile', {}, { priority: 1 });
      await delay(1);
      throw new DelayedError();
    });
    await queue.add('put off', {}, { priority: 1 });
    await until(() => started.length === 3);
    return started;
  };
  // It takes luck to meet that moment.
  const all = await Promise.all(Array.from({ length: 6 }, putOff));
  for (const started of all) expect(started.toSorted()).toEqual(['meanwhile', 'put off', 'put off']);
});
