import { isDeepStrictEqual } from 'node:util';
import { getNextMillis, type Queue } from 'bullmq';

export interface Schedule {
  /** Cron pattern, in Seoul's time. */
  readonly pattern: string;
  readonly timeoutMs: number;
}

const minuteMs = 60_000;

/**
 * The queues of the scheduler and what is due on them. A queue runs one task at a time, in all processes together. What
 * is due each minute has a queue of its own: deleting a month of images must not hold up the sweep that keeps deadlines.
 */
export const schedules = {
  watch: {
    health_check: { pattern: '* * * * *', timeoutMs: minuteMs / 2 },
    sweep: { pattern: '* * * * *', timeoutMs: 5 * minuteMs },
    archive_finished: { pattern: '* * * * *', timeoutMs: minuteMs / 2 },
  },
  maintenance: {
    delete_old_images: { pattern: '0 3 * * *', timeoutMs: 120 * minuteMs },
    clean_caches: { pattern: '0 * * * *', timeoutMs: 20 * minuteMs },
    daily_statistics: { pattern: '0 2 * * *', timeoutMs: 5 * minuteMs },
    cleanup_models: { pattern: '0 * * * *', timeoutMs: minuteMs / 2 },
  },
} as const satisfies Record<string, Record<string, Schedule>>;

export type QueueName = keyof typeof schedules;
export type TaskName = { [Q in QueueName]: keyof (typeof schedules)[Q] }[QueueName];

const timeZone = 'Asia/Seoul';

/** How each run of a task is retried and how many ended ones are kept to look at. */
const jobOptions = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 5_000 },
  removeOnComplete: { count: 100 },
  removeOnFail: { count: 100 },
};

export interface Reconciled {
  readonly written: string[];
  readonly removed: string[];
}

/**
 * Makes the queue's job schedulers those of the catalogue. One that is as it should be is left alone: writing it again
 * would drop the run that came due while no scheduler was there.
 */
export async function reconcileSchedules(queue: Queue, wanted: Record<string, Schedule>): Promise<Reconciled> {
  const existing = await queue.getJobSchedulers();
  const removed = existing.map(({ key }) => key).filter((key) => !Object.hasOwn(wanted, key));
  for (const key of removed) await queue.removeJobScheduler(key);

  const written: string[] = [];
  for (const [name, { pattern }] of Object.entries(wanted)) {
    const known = existing.find(({ key }) => key === name);
    const same =
      known?.pattern === pattern && known.tz === timeZone && isDeepStrictEqual(known.template?.opts, jobOptions);
    // A scheduler whose clock was ahead has put the next run too far off.
    const due = getNextMillis(Date.now(), { pattern, tz: timeZone }) ?? 0;
    if (same && (known.next ?? 0) <= due && (await hasNextRun(queue, name, known.next))) continue;
    await queue.upsertJobScheduler(name, { pattern, tz: timeZone }, { name, opts: jobOptions });
    written.push(name);
  }
  return { written, removed };
}

/** A scheduler lives on by the job of its next run; one that lost it, as a crash may leave it, never runs again. */
async function hasNextRun(queue: Queue, name: string, next: number | undefined): Promise<boolean> {
  const state = await queue.getJobState(`repeat:${name}:${next}`);
  return state !== 'unknown' && state !== 'completed' && state !== 'failed';
}
