import { Queue, UnrecoverableError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { oncePerMessage, type Logger, type Metrics } from '@bunri/runtime';
import { reconcileSchedules, type Schedule } from './schedules.ts';
import type { Successes } from './successes.ts';
import type { Task } from './task.ts';

export interface TaskQueueOptions {
  readonly queue: string;
  readonly schedules: Record<string, Schedule>;
  /** By the names of the schedules. */
  readonly tasks: Record<string, Task>;
  readonly successes: Successes;
  readonly redis: Redis;
  readonly prefix: string;
  /** How long `close` lets a running task go on before it aborts it. */
  readonly graceMs: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly now?: () => number;
  readonly stalledCheckMs?: number;
  /** How often the schedules in Redis are looked after. Default a minute. */
  readonly reconcileEveryMs?: number;
}

/** A killed scheduler's task runs again within 20 s of the next one's start. */
const lockMs = 15_000;
const defaultStalledCheckMs = 5_000;

export interface TaskQueue {
  running(): boolean;
  /** Takes nothing new, waits for the running task, aborts it after the grace. */
  close(): Promise<void>;
}

/** Runs the tasks of a queue when they are due, one at a time, each tick once however many schedulers there are. */
export async function serveTasks(options: TaskQueueOptions): Promise<TaskQueue> {
  const { redis, prefix, log, graceMs, stalledCheckMs = defaultStalledCheckMs, reconcileEveryMs = 60_000 } = options;
  const stopping = new AbortController();
  // Shown before there are any: an increase is seen only from a value on.
  for (const task of Object.keys(options.schedules))
    for (const outcome of ['completed', 'failed']) options.metrics.scheduleRuns.inc({ task, outcome }, 0);
  const queue = new Queue(options.queue, { connection: redis, prefix });
  const worker = new Worker(options.queue, async (job) => await runTask(options, job, stopping.signal), {
    connection: redis,
    prefix,
    concurrency: 1,
    autorun: false,
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
  });
  queue.on(
    'error',
    oncePerMessage((error) => log.warn('queue trouble', { queue: queue.name, error })),
  );
  worker.on(
    'error',
    oncePerMessage((error) => log.warn('worker trouble', { queue: queue.name, error })),
  );

  async function reconcile(): Promise<void> {
    // Two schedulers overlap while one is replaced: a tick is one job, and this keeps ticks from running side by side.
    await queue.setGlobalConcurrency(1);
    const { written, removed } = await reconcileSchedules(queue, options.schedules);
    if (written.length + removed.length > 0)
      log.info('schedules reconciled', { queue: options.queue, written, removed });
  }
  await reconcile();
  // Schedules live in Redis alone: one that came back empty has none, and nothing would ever be swept again.
  const reconcileAgain = () => {
    reconcile().catch((error: unknown) => log.warn('schedules were not reconciled', { queue: options.queue, error }));
  };
  redis.on('ready', reconcileAgain);
  const timer = setInterval(reconcileAgain, reconcileEveryMs);
  timer.unref();
  await worker.waitUntilReady();
  worker.run().catch((error: unknown) => log.error('the worker loop ended', { queue: options.queue, error }));
  return {
    running: () => worker.isRunning(),
    async close() {
      redis.off('ready', reconcileAgain);
      clearInterval(timer);
      const giveUp = setTimeout(() => stopping.abort(new Error('the scheduler stops')), graceMs);
      await worker.close();
      clearTimeout(giveUp);
      await queue.close();
    },
  };
}

/** One run, with its line in the log and its metrics. Rejects when the run failed, so that BullMQ repeats it. */
async function runTask(options: TaskQueueOptions, job: Job, stopping: AbortSignal): Promise<void> {
  const { metrics, successes, now = Date.now } = options;
  const task = options.tasks[job.name];
  const schedule = options.schedules[job.name];
  const log = options.log.child({ task: job.name, job_id: job.id });
  if (!task || !schedule) {
    log.error('task', { outcome: 'unknown' });
    throw new UnrecoverableError(`no task is called ${job.name}`);
  }
  const startedAt = now();
  const attempt = job.attemptsMade + 1;
  const scheduledAt = job.opts.prevMillis ?? job.timestamp;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(schedule.timeoutMs)]);
  try {
    const report = await Promise.race([task({ scheduledAt, signal, log }), rejectOnAbort(signal)]);
    await successes.store(job.name, now());
    metrics.scheduleRuns.inc({ task: job.name, outcome: 'completed' });
    log.info('task', { outcome: 'completed', attempt, duration_ms: now() - startedAt, ...report });
  } catch (error) {
    metrics.scheduleRuns.inc({ task: job.name, outcome: 'failed' });
    const last = attempt >= (job.opts.attempts ?? 1);
    const line = { outcome: last ? 'failed' : 'retry', attempt, duration_ms: now() - startedAt, error };
    if (last) log.error('task', line);
    else log.warn('task', line);
    throw error;
  }
}

/** A task that overlooks its signal must not hold its queue for ever. */
async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
