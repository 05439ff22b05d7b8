import type { Logger } from '@bunri/runtime';

export interface TaskRun {
  /** When the run was due, epoch ms; the run itself may be late. */
  readonly scheduledAt: number;
  /** Aborted at the task's time-out, and when a stopping process has no time left. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** What a run did, in figures, for its line in the log. */
export type TaskReport = Readonly<Record<string, number>>;

/** A scheduled piece of work. It may run twice for the same tick, after a failure or a lost process, with one effect. */
export type Task = (run: TaskRun) => Promise<TaskReport>;
