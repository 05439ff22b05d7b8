import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import * as z from 'zod';
import { stageNames, stageOrder, stages, type StageName } from '@bunri/queue-contracts';
import { readSlots, type StageSlots } from '@bunri/runtime';

const count = z.int().nonnegative();

export const queueStateSchema = z
  .object({
    name: z.string(),
    jobs: z.object({
      waiting: count.meta({ description: 'Ready to be taken.' }),
      active: count,
      delayed: count.meta({ description: 'Waiting for their next attempt.' }),
      waiting_children: count.meta({ description: 'Waiting for an earlier stage.' }),
      failed: count.meta({ description: 'Kept for inspection.' }),
    }),
    paused: z.boolean(),
    slots: count.meta({ description: 'Jobs that its live workers take at once.' }),
    workers: count.meta({ description: 'Live workers; 0 means that nobody takes jobs.' }),
    oldest_waiting_seconds: z
      .number()
      .nonnegative()
      .meta({ description: 'Age, since its submission, of the request that is taken next; 0 when none waits.' }),
  })
  .meta({ id: 'QueueState' });
export type QueueState = z.infer<typeof queueStateSchema>;

export interface QueueOverview {
  /**
   * The stages' queues in the order of the pipeline, as they were at most a second ago; one that not every installation
   * has, only where somebody serves it or something is in it.
   */
  read(): Promise<readonly QueueState[]>;
  close(): Promise<void>;
}

const freshMs = 1_000;

/** Counting is cheap but not free: however many clients ask, the queues are counted once a second. */
export function createQueueOverview(options: { redis: Redis; prefix: string; now: () => number }): QueueOverview {
  const { redis, prefix, now } = options;
  const usual: readonly StageName[] = stageOrder;
  const queues = stageNames.map((stage) => ({
    stage,
    queue: new Queue(stages[stage].queue, { connection: redis, prefix }),
  }));
  // Troubles of the connection that the queues share are logged once, where it was opened.
  for (const { queue } of queues) queue.on('error', () => undefined);
  let latest: { at: number; states: Promise<readonly QueueState[]> } | undefined;

  async function count(): Promise<readonly QueueState[]> {
    // BullMQ waits for a connection that has never been up; the ping fails at once.
    await redis.ping();
    const states = await Promise.all(
      queues.map(async ({ stage, queue }) => {
        const state = await readState(queue, await readSlots(redis, prefix, stage), now());
        return usual.includes(stage) || state.workers > 0 || Object.values(state.jobs).some((jobs) => jobs > 0)
          ? [state]
          : [];
      }),
    );
    return states.flat();
  }

  return {
    async read() {
      if (!latest || now() - latest.at >= freshMs) {
        const states = count();
        const mine = { at: now(), states };
        latest = mine;
        // A failure is told to whoever waits for it and then forgotten.
        states.catch(() => {
          if (latest === mine) latest = undefined;
        });
      }
      return await latest.states;
    },
    async close() {
      await Promise.all(queues.map(async ({ queue }) => await queue.close()));
    },
  };
}

async function readState(queue: Queue, live: StageSlots, at: number): Promise<QueueState> {
  const [counts, next, paused] = await Promise.all([
    queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'waiting-children', 'failed'),
    queue.getJobs(['waiting', 'prioritized'], 0, 0, true),
    queue.isPaused(),
  ]);
  const jobs = (...states: string[]) => states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  // A job may have been taken and removed between the list and its look-up, which leaves a hole.
  const oldest = Math.min(at, ...next.flatMap((job) => (job ? [job.timestamp] : [])));
  return {
    name: queue.name,
    jobs: {
      waiting: jobs('waiting', 'prioritized'),
      active: jobs('active'),
      delayed: jobs('delayed'),
      waiting_children: jobs('waiting-children'),
      failed: jobs('failed'),
    },
    paused,
    slots: live.slots,
    workers: live.workers,
    oldest_waiting_seconds: (at - oldest) / 1000,
  };
}
