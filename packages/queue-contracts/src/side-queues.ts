import * as z from 'zod';

/** Events that are to be told by webhook, one job each. */
export const webhookQueue = 'webhooks';

/** Open batches, one job each, which is put off between two looks. */
export const batchQueue = 'batches';

/** Queues beside the pipeline's: the processes of the api work on them, and their jobs have no class. */
export const sideQueues = [webhookQueue, batchQueue] as const;

const dueSchema = z.object({ dueAt: z.number() });

/** Of a job of a queue that is no stage's: since when it could have been taken, epoch ms; `dueAt` of its data where it was put off. */
export function dueSince(job: {
  readonly timestamp: number;
  readonly processedOn?: number | undefined;
  readonly opts: { readonly delay?: number | undefined };
  readonly data: unknown;
}): number {
  const put = dueSchema.safeParse(job.data);
  const since = job.timestamp + (job.opts.delay ?? 0);
  return Math.max(since, job.processedOn ?? 0, put.success ? put.data.dueAt : 0);
}
