import type { Job } from 'bullmq';
import { NotMoved, type Closing, type FinishAndMove } from './closing.ts';
import { LoneJobWorker } from './lone-job-worker.ts';
import type { Beginning, StageScripts } from './stage-scripts.ts';

/** What of BullMQ's backend takes and completes jobs. */
interface Backend {
  execCommand(client: unknown, name: string, args: (string | number | Buffer)[]): unknown;
}

/** A stage that began when its job was taken. */
export interface Begun {
  /** Of the run. */
  readonly token: string;
  /** Of the record's script, unless it is too old to go by. */
  readonly reply: string[] | undefined;
}

/** How the stage of the next job is to begin. */
export type NextBeginning = () => Beginning & Pick<Begun, 'token'>;

type Result = Closing | undefined;

/** What was begun this long ago may have been canceled since, or be another worker's: the record is asked again. */
const freshMs = 1_000;
/** Of a job that is never run, since BullMQ fails it, nothing is kept for longer. */
const keptMs = 60_000;

/**
 * A worker whose jobs' stages begin and end in the scripts that take and complete the jobs. Its processor gives it a run that
 * has yet to write its result, or nothing, where all is done that had to be done.
 */
export class StageWorker extends LoneJobWorker<unknown, Result> {
  /** The oldest first. */
  readonly #begun = new Map<string, Begun & { readonly at: number }>();
  #scripts: StageScripts | null = null;
  #next: NextBeginning | null = null;

  /** To be called when the worker is ready, and before it runs. Without it each script goes by itself. */
  useScripts(scripts: StageScripts, next: NextBeginning): void {
    this.#scripts = scripts;
    this.#next = next;
    const backend = this.backend as unknown as Backend;
    const execCommand = backend.execCommand.bind(backend);
    backend.execCommand = async (client, name, args) => {
      if (name !== 'moveToActive') return await execCommand(client, name, args);
      const { token, ...beginning } = next();
      const { job, begun } = await scripts.take(args, beginning);
      this.#remember(job, begun, token);
      return job;
    };
  }

  /** Completes a job with the script that finishes its stage; null where each goes by itself. */
  get finishAndMove(): FinishAndMove | null {
    const [scripts, next] = [this.#scripts, this.#next];
    if (!scripts || !next) return null;
    return async (move, finish) => {
      const { token, ...beginning } = next();
      // BullMQ's command may be older than the wish to stop.
      const stopping = this.closing !== undefined || this.isPaused();
      const { record, next: taken } = await scripts.finish(move, finish, stopping ? null : beginning);
      if (!taken) return { record, job: null };
      this.#remember(taken.job, taken.begun, token);
      return { record, job: [taken.job] };
    };
  }

  /** The stage of a job that this worker has taken, if it has begun; once. Its run asks the record again where that was not just now. */
  takeBegun(jobId: string): Begun | undefined {
    const begun = this.#begun.get(jobId);
    this.#begun.delete(jobId);
    return begun && performance.now() - begun.at >= freshMs ? { ...begun, reply: undefined } : begun;
  }

  #remember(job: unknown, reply: string[] | null, token: string): void {
    if (!reply || !Array.isArray(job)) return;
    const [, id] = job as [unknown, string];
    const at = performance.now();
    for (const [known, begun] of this.#begun) {
      if (at - begun.at < keptMs) break;
      this.#begun.delete(known);
    }
    this.#begun.delete(id);
    this.#begun.set(id, { token, reply, at });
  }

  protected override async handleCompleted(
    ...[closing, job, ...how]: Parameters<LoneJobWorker<unknown, Result>['handleCompleted']>
  ): Promise<Job<unknown, Result>> {
    const complete = async () => await super.handleCompleted(undefined, job, ...how);
    if (closing === undefined) return await complete();
    if (!closing.released) {
      const restore = divert(job, closing);
      try {
        const next = await complete();
        closing.release();
        await closing.ended;
        return next;
      } catch (error) {
        closing.release();
        if (!(error instanceof NotMoved)) {
          await closing.ended.catch(() => undefined);
          throw error;
        }
      } finally {
        restore();
      }
    }
    try {
      await closing.ended;
    } catch (error) {
      return await this.handleFailed(error as Error, job, ...how);
    }
    return await complete();
  }
}

/** Gives BullMQ's command for this job to `closing`. @returns what undoes that */
function divert(job: Job<unknown, Result>, closing: Closing): () => void {
  const held = job as unknown as { backend: Backend };
  const { backend } = held;
  const execCommand: Backend['execCommand'] = async (client, name, args) =>
    name === 'moveToFinished' ? await closing.move(args) : await backend.execCommand(client, name, args);
  held.backend = Object.create(backend, { execCommand: { value: execCommand } }) as Backend;
  return () => {
    held.backend = backend;
  };
}
