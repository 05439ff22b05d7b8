import { Worker, type Job, type JobJson } from 'bullmq';

/** A queue that was empty for as long as this got a single job: others come together, or while it is looked. */
const quietMs = 5;

/**
 * A worker that begins a job at once where it came alone. BullMQ's own looks for a second job first, and begins the one
 * that it has when Redis has answered: on a quiet queue a vain look for each job, in the way of each job.
 *
 * Nothing is overlooked: it goes on to wait for the mark, which is there after a job was taken whenever there are more
 * (see `quietMarkers`), delayed ones too.
 */
export class LoneJobWorker<Data = unknown, Result = unknown> extends Worker<Data, Result> {
  #lookedAt = 0;
  #tookAlone = false;

  protected override async moveToActive(token: string, name?: string): Promise<Job<Data, Result>> {
    // Who has waited has taken the mark, and must look; BullMQ holds its wait until after the look.
    const { waiting } = this as unknown as { readonly waiting: unknown };
    // As an empty look is told: without data.
    if (this.#tookAlone && !waiting) return await this.nextJobFromJobData();
    const quiet = performance.now() - this.#lookedAt >= quietMs;
    const job: Job<Data, Result> | undefined = await super.moveToActive(token, name);
    this.#lookedAt = performance.now();
    this.#tookAlone = quiet && job !== undefined;
    return job;
  }

  /** Called with what each look has found, and each end of a job. */
  protected override async nextJobFromJobData(data?: JobJson, id?: string, token?: string): Promise<Job<Data, Result>> {
    // The look that is left out is the next one, and none after others.
    this.#tookAlone = false;
    return await super.nextJobFromJobData(data, id, token);
  }
}
