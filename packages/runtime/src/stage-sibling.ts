import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { jobDataSchema, stageJobId, stages } from '@bunri/queue-contracts';
import type { Logger } from './log.ts';

const stage = 'vision.local';

export interface SiblingWaker {
  /** Wakes the local look that waits for what preprocess has just done. Never rejects: without it the look comes a moment later. */
  wake(data: unknown): Promise<void>;
  close(): Promise<void>;
}

/** For the workers of preprocess. Nothing is opened before the first request that two look at. */
export function createSiblingWaker(options: { redis: Redis; prefix: string; log: Logger }): SiblingWaker {
  const { redis, prefix, log } = options;
  let queue: Queue | undefined;

  function open(): Queue {
    const opened = new Queue(stages[stage].queue, { connection: redis, prefix });
    // Troubles of the connection are told where it was opened.
    opened.on('error', () => undefined);
    return opened;
  }

  return {
    async wake(data) {
      if (typeof data !== 'object' || data === null || !('looks' in data)) return;
      const known = jobDataSchema.safeParse(data).data;
      if (known?.looks?.length !== 2) return;
      const jobId = stageJobId(known.requestId, stage, known.generation);
      try {
        const job = await (queue ??= open()).getJob(jobId);
        // One that runs finds the result by itself, or is delayed again for a moment.
        if (job && (await job.isDelayed())) await job.promote();
      } catch (error) {
        log.warn('a local look could not be woken', { job_id: jobId, error });
      }
    },
    async close() {
      await queue?.close();
    },
  };
}
