import { Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { stageNames, stages } from '@bunri/queue-contracts';
import { createFlowQueue, createRecordStore, toResource, type FlowQueue, type RecordStore } from '@bunri/runtime';
import { play, tell } from './finished-requests.ts';
import { bigOwner } from './growth-store.ts';
import { percentile } from './measure.ts';

/** What is done to a store that grows. */
export const operations = [
  'submit',
  'get',
  'list, first page',
  'list, deep',
  'sweep',
  'clean-up of 500 expired',
  'archiving of 100',
  'queue gauges',
  'GET /metrics',
] as const;
export type Operation = (typeof operations)[number];

export interface Sample {
  readonly p50Ms: number;
  /** Of a read that costs the same in a store of any size, done in between. */
  readonly fixedMs: number;
}
export type Round = Readonly<Record<Operation, Sample>>;

const pageSize = 20;
const expired = 500;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export interface Probes {
  round(): Promise<Round>;
  close(): Promise<void>;
}

/** Measures each operation as the processes do it. Tasks are run by a real scheduler, whose own time is taken. */
export async function openProbes(redis: Redis, prefix: string, schedulerUrl: string): Promise<Probes> {
  const records = createRecordStore({ redis, prefix });
  const flows = createFlowQueue({ redis, prefix });
  const tasks = {
    watch: await openTasks(redis, prefix, 'watch'),
    maintenance: await openTasks(redis, prefix, 'maintenance'),
  };
  const sample = await sampler(redis, `${prefix}:fixed`);

  return {
    async round() {
      const [ids, deep] = [await someIds(records, 300), await middleOf(records, bigOwner)];
      const round = {
        submit: await sample(200, async () => await submit(records, flows)),
        sweep: await sample(10, async () => await tasks.watch.run('sweep')),
        'queue gauges': await sample(10, async () => await tasks.watch.run('health_check')),
        'GET /metrics': await sample(30, async () => await scrape(schedulerUrl)),
        get: await sample(ids.length, async (n) => await read(records, ids[n] ?? '')),
        'list, first page': await sample(60, async () => await list(records, Number.MAX_SAFE_INTEGER)),
        'list, deep': await sample(60, async () => await list(records, deep)),
        'archiving of 100': await sample(3, async () => {
          await endRequests(records, 100);
          return await tasks.watch.run('archive_finished');
        }),
        'clean-up of 500 expired': await sample(3, async () => {
          await addExpired(records);
          return await tasks.maintenance.run('clean_caches');
        }),
      };
      await clear(records, prefix);
      return round;
    },
    async close() {
      await flows.close();
      await Promise.all(Object.values(tasks).map(async (queue) => await queue.close()));
    },
  };
}

/** Takes the p50 of `times` runs, and of a fixed read, one after the other. */
async function sampler(redis: Redis, fixed: string) {
  await redis.hset(fixed, Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`field-${i}`, 'x'.repeat(60)])));
  return async (times: number, run: (n: number) => Promise<number | void>): Promise<Sample> => {
    const [own, beside]: [number[], number[]] = [[], []];
    for (let n = 0; n < times; n += 1) {
      const startedAt = performance.now();
      // A task tells its own time.
      const told = await run(n);
      own.push(told ?? performance.now() - startedAt);
      const fixedAt = performance.now();
      await redis.hgetall(fixed);
      beside.push(performance.now() - fixedAt);
    }
    return { p50Ms: percentile(own, 0.5), fixedMs: percentile(beside, 0.5) };
  };
}

async function openTasks(redis: Redis, prefix: string, name: string) {
  const queue = new Queue(name, { connection: redis, prefix });
  const connection = redis.duplicate({ maxRetriesPerRequest: null });
  const events = new QueueEvents(name, { connection, prefix });
  await events.waitUntilReady();
  return {
    /** Runs a task of the scheduler. @returns ms from its taking to its end. */
    async run(task: string): Promise<number> {
      const job = await queue.add(task, {});
      await job.waitUntilFinished(events, 120_000);
      const { processedOn, finishedOn } = (await queue.getJob(job.id ?? '')) ?? {};
      if (processedOn === undefined || finishedOn === undefined) throw new Error(`${task} left no times`);
      return finishedOn - processedOn;
    },
    async close() {
      await events.close();
      await queue.close();
      connection.disconnect();
    },
  };
}

/** As the api accepts an upload: the record, then its flow. */
async function submit(records: RecordStore, flows: FlowQueue): Promise<void> {
  const { request } = tell(submissions, bigOwner, Date.now());
  submissions += 1;
  const { turn } = await records.accept(request);
  await flows.add({ ...request, turn });
}
let submissions = 0;

async function read(records: RecordStore, id: string): Promise<void> {
  const record = await records.get(id);
  if (!record) throw new Error('a finished request is gone');
  toResource(record);
}

/** A page as the api makes it. */
async function list(records: RecordStore, before: number): Promise<void> {
  const ids = await records.listIds(bigOwner, before, pageSize + 1);
  await Promise.all(ids.slice(0, pageSize).map(async (id) => await read(records, id)));
}

async function someIds({ redis, keys }: RecordStore, count: number): Promise<string[]> {
  const size = await redis.zcard(keys.finished);
  const ranks = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) / count) * size));
  const ids = await Promise.all(ranks.map(async (rank) => await redis.zrange(keys.finished, rank, String(rank))));
  return ids.flat();
}

async function middleOf({ redis, keys }: RecordStore, owner: string): Promise<number> {
  const middle = Math.floor((await redis.zcard(keys.owner(owner))) / 2);
  return Number((await redis.zrange(keys.owner(owner), middle, String(middle), 'WITHSCORES'))[1]);
}

async function scrape(url: string): Promise<void> {
  await (await fetch(`${url}/metrics`)).text();
}

/** Requests that were played to their end, as if some minutes ago. */
async function endRequests(records: RecordStore, count: number): Promise<void> {
  const { redis, keys } = records;
  const ended = Date.now() - 10 * minuteMs;
  for (let n = 0; n < count; n += 1) {
    const story = tell(n, 'bench-ended', Date.now());
    await play(records, story);
    await redis.zadd(keys.finished, ended + n, story.request.id);
  }
}

/** Records past their retention with their index entries, as the hourly clean-up finds them. */
async function addExpired(records: RecordStore): Promise<void> {
  const { redis, keys } = records;
  const pipeline = redis.pipeline();
  for (let n = 0; n < expired; n += 1) {
    const createdAt = Date.now() - 2 * dayMs + n;
    const { request } = tell(n, `bench-expired-${n % 10}`, createdAt);
    pipeline.hset(keys.record(request.id), { status: 'canceled', seq: 2, request: JSON.stringify(request) });
    pipeline.zadd(keys.owner(request.owner), createdAt, request.id);
    pipeline.zadd(keys.finished, createdAt + 1, request.id);
  }
  await pipeline.exec();
}

/** Takes away what a round has left. */
async function clear(records: RecordStore, prefix: string): Promise<void> {
  const { redis, keys } = records;
  const open = await redis.zrange(keys.deadlines, 0, '-1');
  const ended = await redis.zrangebyscore(keys.finished, Date.now() - 30 * minuteMs, '+inf');
  for (const id of open) await records.remove(id, bigOwner);
  for (const id of ended) await records.remove(id, 'bench-ended');
  for (const stage of stageNames) {
    const queue = new Queue(stages[stage].queue, { connection: redis, prefix });
    await queue.obliterate({ force: true });
    await queue.close();
  }
}
