import { Queue, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { firstPriority, jobDataSchema, stageNames, stages } from '@bunri/queue-contracts';
import { createKeys, oncePerMessage, type Logger, type Metrics } from '@bunri/runtime';
import { schedules } from './schedules.ts';

export interface QueueState {
  readonly queue: string;
  /** Jobs that a worker could take now. */
  readonly waiting: number;
  /** Connections of workers; 0 means that nobody takes jobs. */
  readonly workers: number;
}

export type QueueGauges = ReturnType<typeof createQueueGauges>;

/** Every queue whose state is exported: the stages' and the scheduler's own. */
export const watchedQueues = [...stageNames.map((stage) => stages[stage].queue), ...Object.keys(schedules)];

const jobStates = ['waiting', 'prioritized', 'active', 'delayed', 'waiting-children', 'failed'] as const;
/** BullMQ's score of a prioritised job is its priority times 2^32, and a running number. */
const priorityScale = 0x1_0000_0000;
const firstOfBatch = firstPriority.batch * priorityScale;
/**
 * In each class the requests stand by their turn. The oldest of an owner stands before the owner's others, and no owner's
 * oldest far behind where the class has come to: among the first few is the oldest of all.
 */
const looked = 20;
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

  /** Since when a job could have been taken. A stage's job is as old as its request, but ready only since the stage before. */
  async function readySince(job: Job | undefined): Promise<number> {
    if (!job) return now();
    const data = jobDataSchema.safeParse(job.data);
    const readyAt = data.success ? await redis.hget(keys.record(data.data.requestId), 'readyAt') : null;
    return readyAt === null ? job.timestamp + (job.opts.delay ?? 0) : Number(readyAt);
  }

  async function oldestReadySince(queue: Queue): Promise<number> {
    const prioritized = queue.toKey('prioritized');
    const ids = [
      ...(await redis.zrangebyscore(prioritized, '-inf', `(${firstOfBatch}`, 'LIMIT', 0, looked)),
      ...(await redis.zrangebyscore(prioritized, firstOfBatch, '+inf', 'LIMIT', 0, looked)),
    ];
    const heads = [(await queue.getWaiting(0, 0))[0], ...(await Promise.all(ids.map((id) => queue.getJob(id))))];
    return Math.min(...(await Promise.all(heads.map(readySince))));
  }

  async function measure(queue: Queue): Promise<QueueState> {
    const labels = { queue: queue.name };
    const counts = await queue.getJobCounts(...jobStates);
    for (const state of jobStates) metrics.queueJobs.set({ ...labels, state }, counts[state] ?? 0);
    const workers = await queue.getWorkersCount();
    metrics.queueWorkers.set(labels, workers);
    metrics.queueOldestSeconds.set(labels, Math.max(0, now() - (await oldestReadySince(queue))) / 1000);
    metrics.queueOverdueDelayed.set(labels, await queue.getDelayedCount(now() - overdueMs));
    return { queue: queue.name, waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0), workers };
  }

  return {
    async refresh(): Promise<QueueState[]> {
      metrics.openRequests.set(await redis.zcard(keys.deadlines));
      metrics.deadLetters.set(await redis.zcard(keys.dead));
      return await Promise.all(queues.map(measure));
    },

    async close(): Promise<void> {
      await Promise.all(queues.map(async (queue) => await queue.close()));
    },
  };
}
