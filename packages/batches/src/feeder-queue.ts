import { DelayedError, Queue, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { batchQueue } from '@bunri/queue-contracts';
import { oncePerMessage, type Logger, type Metrics } from '@bunri/runtime';
import type { BatchStore } from './batch-store.ts';
import type { LookAtBatch } from './feeder.ts';

/** Looks at once in one process. A look is short: it runs no step of a request itself. */
const concurrency = 4;
const defaultLockMs = 15_000;
const defaultStalledCheckMs = 5_000;
const defaultRepairEveryMs = 10_000;
/** What a look needs is away: longer than the usual pause, and short enough for what is in flight. */
const troubleMs = 3_000;
const mostOpen = 1_000;

export interface FeederQueue {
  /** A batch has something to do. Once however often it is told; where it cannot be told, the next repair does it. */
  wake(id: string): Promise<void>;
  /** Ends the look that is under way, and takes no more. */
  close(): Promise<void>;
}

export interface FeederQueueOptions {
  /** Waits without limit for Redis, as workers need it. */
  readonly redis: Redis;
  readonly prefix: string;
  readonly store: BatchStore;
  readonly look: LookAtBatch;
  readonly metrics: Pick<Metrics, 'batchesOpen' | 'batchOldestSeconds'>;
  readonly log: Logger;
  readonly repairEveryMs?: number;
  /** How long a process that says nothing keeps a batch, and how often that is looked for. Default 15 s, 5 s. */
  readonly lockMs?: number;
  readonly stalledCheckMs?: number;
}

/**
 * Looks at every open batch, again and again, in one process at a time: one job a batch, which is put off between two looks.
 * A process that dies during a look loses its lock, and another one takes the job within 20 s. A batch that has no job, as
 * after a crash between its record and its job, gets one by the repair that every process does.
 */
export async function serveBatches(options: FeederQueueOptions): Promise<FeederQueue> {
  const { redis, prefix, store, metrics, log, repairEveryMs = defaultRepairEveryMs } = options;
  const { lockMs = defaultLockMs, stalledCheckMs = defaultStalledCheckMs } = options;
  const queue = new Queue(batchQueue, { connection: redis, prefix });
  const worker = new Worker(batchQueue, async (job, token) => await runLook(options, job, token), {
    connection: redis,
    prefix,
    concurrency,
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
    // A lost process says nothing of the batch.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    autorun: false,
  });
  const trouble = (what: string) => oncePerMessage((error: Error) => log.warn(what, { queue: queue.name, error }));
  queue.on('error', trouble('queue trouble'));
  worker.on('error', trouble('worker trouble'));

  async function wake(id: string): Promise<void> {
    await queue.add('feed', {}, { jobId: id, removeOnComplete: true, removeOnFail: true });
  }
  async function repair(): Promise<void> {
    const { open, oldestAt } = await store.backlog();
    metrics.batchesOpen.set(open);
    metrics.batchOldestSeconds.set(oldestAt === null ? 0 : Math.max(0, Date.now() - oldestAt) / 1000);
    for (const id of await store.open(mostOpen)) await wake(id);
  }
  const repairQuietly = () => {
    repair().catch((error: unknown) => log.warn('open batches could not be looked for', { error }));
  };
  const timer = setInterval(repairQuietly, repairEveryMs);
  timer.unref();
  await worker.waitUntilReady();
  repairQuietly();
  worker.run().catch((error: unknown) => log.error('the worker loop ended', { queue: queue.name, error }));
  return {
    wake,
    async close() {
      clearInterval(timer);
      await worker.close();
      await queue.close();
    },
  };
}

async function runLook({ look, log }: FeederQueueOptions, job: Job, token: string | undefined): Promise<void> {
  let waitMs: number | null;
  try {
    waitMs = await look(job.id ?? '');
  } catch (error) {
    log.warn('a batch could not be looked at; it is tried again', { batch_id: job.id, error });
    waitMs = troubleMs;
  }
  if (waitMs === null) return;
  await job.moveToDelayed(Date.now() + waitMs, token);
  throw new DelayedError();
}
