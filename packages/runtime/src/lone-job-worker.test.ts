import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { DelayedError, Queue, type Job } from 'bullmq';
import { Redis } from 'ioredis';
import { LoneJobWorker } from './lone-job-worker.ts';
import { quietMarkers } from './quiet-markers.ts';

const url = process.env['REDIS_URL'] ?? '';
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function connect(): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  closers.push(async () => await redis.quit());
  return redis;
}

/** A worker that has waited for a while, as `serveStage` starts it. Its jobs run until `release` is called. */
async function startWorker(concurrency = 10) {
  const prefix = `{t${randomUUID()}}`;
  const queue = new Queue('q', { connection: connect(), prefix });
  const redis = connect();
  const started: string[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const run = async ({ name }: Job): Promise<void> => {
    started.push(name);
    await redis.echo(name);
    await released;
  };
  const worker = new LoneJobWorker('q', run, {
    connection: redis,
    prefix,
    autorun: false,
    concurrency,
    limiter: { max: 1_000_000, duration: 1000 },
  });
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
  return { queue, prefix, started, release };
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
  const seen = await watch(prefix);
  for (const name of ['first', 'second']) {
    await queue.add(name, {}, { priority: 1 });
    await delay(200);
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
  await delay(1_000);
  expect(started.toSorted()).toEqual(names);
});

test('a delayed job begins when it is due, beside one that came alone', async () => {
  const { queue, started } = await startWorker();
  await queue.add('delayed', {}, { delay: 400, priority: 1 });
  await delay(100);
  await queue.add('alone', {}, { priority: 1 });
  await delay(1_500);
  expect(started).toEqual(['alone', 'delayed']);
});

test('a job that waited for a slot begins when there is one', async () => {
  const { queue, started, release } = await startWorker();
  const names = Array.from({ length: 12 }, (_, at) => `job ${at}`);
  for (const name of names) {
    await queue.add(name, {}, { priority: 1 });
    await delay(20);
  }
  await delay(200);
  expect(started).toHaveLength(10);
  release();
  await delay(500);
  expect(started.toSorted()).toEqual(names.toSorted());
});

test('who has one slot takes each job when it comes, also after one that came alone', async () => {
  const { queue, started, release } = await startWorker(1);
  release();
  for (const name of ['first', 'second', 'third']) {
    await queue.add(name, {}, { priority: 1 });
    // One that is overlooked is found with the next.
    await delay(150);
    expect(started.at(-1)).toBe(name);
  }
});

test('a job that is put off is heard of by who waits, though the look after it found one that came alone', async () => {
  const prefix = `{t${randomUUID()}}`;
  const [queue, redis, other] = [new Queue('q', { connection: connect(), prefix }), connect(), connect()];
  const started: string[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const run = async (job: Job, token?: string): Promise<void> => {
    started.push(job.name);
    if (job.name === 'meanwhile') return await released;
    if (started.length > 1) return;
    // Another process that waits has the mark of the job that comes now.
    void other.bzpopmin(`${prefix}:q:marker`, 1);
    await delay(100);
    await job.moveToDelayed(Date.now() + 300, token);
    await delay(20);
    await queue.add('meanwhile', {}, { priority: 1 });
    throw new DelayedError();
  };
  const worker = new LoneJobWorker('q', run, { connection: redis, prefix, autorun: false, concurrency: 10 });
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
  await queue.add('put off', {}, { priority: 1 });
  await delay(1_500);
  expect(started).toEqual(['put off', 'meanwhile', 'put off']);
});
