import { Queue, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { dueSince, firstPriority, jobDataSchema, sideQueues, stageNames, stages } from '@bunri/queue-contracts';
import { createKeys, oncePerMessage, type Logger, type Metrics } from '@bunri/runtime';
import { createEndedRequests } from './ended-requests.ts';
import { createRedisGauges } from './redis-gauges.ts';
import { schedules } from './schedules.ts';
import { createEventStreamGauges, createOutboxGauges, createSpendingGauges } from './store-gauges.ts';

export interface QueueState {
  readonly queue: string;
  /** Jobs that a worker could take now. */
  readonly waiting: number;
  /** Connections of workers; 0 means that nobody takes jobs. */
  readonly workers: number;
}

export type QueueGauges = ReturnType<typeof createQueueGauges>;

const stageQueues: readonly string[] = stageNames.map((stage) => stages[stage].queue);
/** Every queue whose state is exported: the stages', the scheduler's own, and those that the api works on. */
export const watchedQueues = [...stageQueues, ...Object.keys(schedules), ...sideQueues];

const jobStates = ['waiting', 'prioritized', 'active', 'delayed', 'waiting-children', 'failed'] as const;
/** BullMQ's score of a prioritised job is its priority times 2^32, and a running number. */
const priorityScale = 0x1_0000_0000;
const firstOfBatch = firstPriority.batch * priorityScale;
/**
 * In each class the requests stand by their turn. The oldest of an owner stands before the owner's others, and no owner's
 * oldest far behind where the class has come to: among the first few is the oldest of all.
 */
const looked = 20;
/** Where the jobs of each class stand, as ranges of scores. */
const classRanges = [
  ['interactive', '-inf', `(${firstOfBatch}`],
  ['batch', String(firstOfBatch), '+inf'],
] as const;
/** What BullMQ writes into a limiter's key to stop a queue; below it the key counts jobs. */
const stopped = Number.MAX_SAFE_INTEGER;
/** BullMQ itself is some ms late with a delayed job. */
const overdueMs = 1_000;

/** Reads the state of the queues and exports it, once for the whole installation. */
export function createQueueGauges(options: {
  redis: Redis;
  prefix: string;
  metrics: Metrics;
  log: Logger;
  now?: () => number;
}) {
  const { redis, prefix, metrics, log, now = Date.now } = options;
  const keys = createKeys(prefix);
  const queues = watchedQueues.map((name) => new Queue(name, { connection: redis, prefix }));
  const onError = oncePerMessage((error) => log.warn('queue trouble', { error }));
  for (const queue of queues) queue.on('error', onError);
  const onMeasureError = oncePerMessage((error) => log.warn('a gauge could not be refreshed', { error }));

  /** Since when a job could have been taken. A stage's job is as old as its request, but ready only since the stage before. */
  async function readySince(job: Job | undefined): Promise<number> {
    if (!job) return now();
    const data = jobDataSchema.safeParse(job.data);
    const readyAt = data.success ? await redis.hget(keys.record(data.data.requestId), 'readyAt') : null;
    return readyAt === null ? dueSince(job) : Number(readyAt);
  }

  /** Of the jobs of any class; what each class has is exported on the way. Only the stages' jobs have one. */
  async function oldestReadySince(queue: Queue): Promise<number> {
    const prioritized = queue.toKey('prioritized');
    const times = [await readySince((await queue.getWaiting(0, 0))[0])];
    for (const [name, from, to] of stageQueues.includes(queue.name) ? classRanges : []) {
      const labels = { queue: queue.name, class: name };
      const ids = await redis.zrangebyscore(prioritized, from, to, 'LIMIT', 0, looked);
      const jobs = await Promise.all(ids.map(async (id) => await queue.getJob(id)));
      const oldest = Math.min(now(), ...(await Promise.all(jobs.map(readySince))));
      metrics.queueClassJobs.set(labels, await redis.zcount(prioritized, from, to));
      metrics.queueClassOldestSeconds.set(labels, (now() - oldest) / 1000);
      times.push(oldest);
    }
    return Math.min(...times);
  }

  /** For how long a queue gives out nothing by the rate limit, ms. */
  async function rateLimitedMs(queue: Queue): Promise<number> {
    const key = queue.toKey('limiter');
    const isStopped = Number((await redis.get(key)) ?? 0) >= stopped;
    return isStopped ? Math.max(0, await redis.pttl(key)) : 0;
  }

  async function measure(queue: Queue): Promise<QueueState> {
    const labels = { queue: queue.name };
    const counts = await queue.getJobCounts(...jobStates);
    for (const state of jobStates) metrics.queueJobs.set({ ...labels, state }, counts[state] ?? 0);
    const workers = await queue.getWorkersCount();
    metrics.queueWorkers.set(labels, workers);
    metrics.queueOldestSeconds.set(labels, Math.max(0, now() - (await oldestReadySince(queue))) / 1000);
    metrics.queueOverdueDelayed.set(labels, await queue.getDelayedCount(now() - overdueMs));
    metrics.queuePaused.set(labels, (await queue.isPaused()) ? 1 : 0);
    metrics.queueRateLimitSeconds.set(labels, (await rateLimitedMs(queue)) / 1000);
    return { queue: queue.name, waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0), workers };
  }

  const measuredBeside = [
    createEndedRequests({ redis, keys, metrics, ...(options.now ? { now } : {}) }),
    createRedisGauges({ redis, metrics }),
    createSpendingGauges({ redis, keys, metrics, now }),
    createEventStreamGauges({ redis, keys, metrics }),
    createOutboxGauges({ redis, keys, metrics, now }),
  ];

  /** A managed Redis may refuse a command of theirs; the queues are watched all the same. */
  async function measureBeside(): Promise<void> {
    for (const end of await Promise.allSettled(measuredBeside.map(async (measure) => await measure())))
      if (end.status === 'rejected') onMeasureError(toError(end.reason));
  }

  return {
    async refresh(): Promise<QueueState[]> {
      await measureBeside();
      metrics.openRequests.set(await redis.zcard(keys.deadlines));
      metrics.deadLetters.set(await redis.zcard(keys.dead));
      return await Promise.all(queues.map(measure));
    },

    async close(): Promise<void> {
      await Promise.all(queues.map(async (queue) => await queue.close()));
    },
  };
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
