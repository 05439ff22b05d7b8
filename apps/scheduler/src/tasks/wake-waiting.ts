import { Job, Queue } from 'bullmq';
import { firstPriority, priorityOf, stageNames, stages } from '@bunri/queue-contracts';
import type { RecordStore } from '@bunri/runtime';

/** No wait of ours is longer; one that is comes from a wrong clock. */
const longestDelayMs = 5 * 60_000;
/** A worker takes a delayed job within seconds of its time. */
const overdueMs = 60_000;
/** How long a batch request stands behind every interactive one. */
const batchPatienceMs = 10 * 60_000;
/** In one run: what is raised takes slots of those who wait at a screen. */
const mostRaised = 200;
const batch = 500;
/** How BullMQ orders its sets: delayed ones by time in 2^-12 ms, prioritised ones by priority in 2^-32. */
const delayedScale = 0x1000;
const priorityScale = 0x1_0000_0000;

/**
 * Wakes delayed jobs whose time has long come, or never would, and lets batch requests pass that have stood behind
 * interactive ones for ten minutes: starvation is bounded.
 */
export async function wakeWaiting(
  { records, prefix, now = Date.now }: { records: RecordStore; prefix: string; now?: () => number },
  signal: AbortSignal,
): Promise<{ woken: number; raised: number }> {
  let [woken, raised] = [0, 0];
  for (const stage of stageNames) {
    signal.throwIfAborted();
    const queue = new Queue(stages[stage].queue, { connection: records.redis, prefix });
    try {
      woken += await wakeDelayed(records, queue, now());
      raised += await raiseAged(records, queue, now());
    } finally {
      await queue.close();
    }
  }
  return { woken, raised };
}

async function wakeDelayed({ redis }: RecordStore, queue: Queue, at: number): Promise<number> {
  const key = queue.toKey('delayed');
  const limit = ['LIMIT', 0, batch] as const;
  const ids = [
    ...(await redis.zrangebyscore(key, '-inf', (at - overdueMs) * delayedScale, ...limit)),
    ...(await redis.zrangebyscore(key, (at + longestDelayMs) * delayedScale, '+inf', ...limit)),
  ];
  return await each(queue, ids, async (job) => {
    await job.promote();
    return true;
  });
}

async function raiseAged({ redis, keys }: RecordStore, queue: Queue, at: number): Promise<number> {
  const first = firstPriority.batch * priorityScale;
  const ids = await redis.zrangebyscore(queue.toKey('prioritized'), first, '+inf', 'LIMIT', 0, mostRaised);
  if (ids.length === 0) return 0;
  const turn = Number((await redis.hget(keys.turns, 'interactive')) ?? 0);
  return await each(queue, ids, async (job) => {
    // Of the job, not of the request: one that is retried after a day has not stood for a day.
    if (job.timestamp >= at - batchPatienceMs) return false;
    await job.changePriority({ priority: priorityOf('interactive', turn) });
    return true;
  });
}

/** A job that was taken in the meantime needs no help. @returns how many were changed. */
async function each(queue: Queue, ids: string[], change: (job: Job) => Promise<boolean>): Promise<number> {
  let changed = 0;
  for (const id of ids) {
    const job = await Job.fromId(queue, id);
    if (job && (await change(job).catch(() => false))) changed += 1;
  }
  return changed;
}
