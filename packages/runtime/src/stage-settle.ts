import { failure, type Failure, type FailureCode, type StageName } from '@bunri/queue-contracts';
import {
  DeferredError,
  PermanentError,
  RateLimitedError,
  SharedWorkError,
  StageAbort,
  TransientError,
  type AbortCause,
} from './errors.ts';
import { StoreUnavailable } from './patient-records.ts';
import type { RecordStore, StageRun } from './records.ts';
import { isSibling, NobodyLooked } from './stage-input.ts';
import type { JobFacts, RunEnd, StageRunner } from './stage-run.ts';

type Runner = Pick<StageRunner<StageName>, 'stage' | 'records' | 'metrics'>;

type NotStarted = Exclude<Awaited<ReturnType<RecordStore['start']>>, { outcome: 'started' }>;

/** How a run ends that the record did not let begin. */
export async function refuse(runner: Runner, run: StageRun, taken: NotStarted): Promise<RunEnd> {
  const { stage } = run;
  switch (taken.outcome) {
    case 'closed':
    case 'void':
    case 'done':
      return { end: 'skipped' };
    case 'gone':
      return { end: 'failed', error: new PermanentError('internal_error', 'the record of this request is gone') };
    case 'late':
      return await failRequest(runner, run, failure('deadline_exceeded', deadlineMessage, stage));
    case 'isolated':
      return { end: 'waiting', waitMs: isolationWaitMs };
    case 'worn':
      return await endWorn(runner, run);
  }
}

const isolationWaitMs = 1_000;
const deadlineMessage =
  'The answer was not ready before the deadline. Send the request again, with a later deadline if it may wait.';
/** Of a request that was taken again and again. */
export const lostMessage =
  'The workers that took this request stopped before they were done. Send it again; if it happens again, report the id.';

/** Of two that look, only this one is worn. */
async function endWorn(runner: Runner, run: StageRun): Promise<RunEnd> {
  const error = failure('worker_lost', lostMessage, run.stage);
  if (!isSibling(run)) return await failRequest(runner, run, error);
  // Whichever run is the latest: none of them will bring a result.
  await runner.records.giveUp({ id: run.id, stage: run.stage, generation: run.generation ?? 0 }, error);
  runner.metrics.failures.inc({ stage: runner.stage, code: error.code, final: 'true' });
  return { end: 'failed', error: new PermanentError(error.code, error.message) };
}

async function failRequest(runner: Runner, { id, generation }: StageRun, error: Failure): Promise<RunEnd> {
  await runner.records.fail(id, error, { generation });
  runner.metrics.failures.inc({ stage: runner.stage, code: error.code, final: 'true' });
  return { end: 'failed', error: new PermanentError(error.code, error.message) };
}

export interface RunFacts {
  readonly job: JobFacts;
  /** How often the stage was started, this time included. */
  readonly starts: number;
  /** Until the request's deadline. */
  readonly leftMs: number;
}

/** Translates an error, once: what the record says, and what the job's owner is to do. */
export async function settle(runner: Runner, run: StageRun, facts: RunFacts, error: Error): Promise<RunEnd> {
  const { job } = facts;
  const { records, metrics, stage } = runner;
  if (error instanceof StoreUnavailable) throw error;
  if (error instanceof StageAbort && error.reason !== 'timeout') return await settleAbort(runner, run, error.reason);
  if (error instanceof RateLimitedError) {
    await records.release(run, 'rate_limited');
    metrics.rateLimited.inc({ stage });
    return { end: 'rate_limited', retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof DeferredError) {
    await records.release(run, 'rate_limited');
    metrics.rateLimited.inc({ stage });
    // Up to a tenth more, so that those who were told the same do not all come back at once.
    return { end: 'waiting', waitMs: Math.ceil(error.waitMs * (1 + Math.random() / 10)) };
  }
  if (error instanceof SharedWorkError) {
    await records.release(run, 'shared_work');
    return { end: 'waiting', waitMs: error.waitMs };
  }
  const code = failureCode(error);
  const waitMs = code === 'storage_unavailable' ? outageWaitMs(facts, Math.random()) : null;
  if (waitMs !== null) {
    metrics.failures.inc({ stage, code, final: 'false' });
    await records.release(run, 'storage_unavailable');
    return { end: 'waiting', waitMs };
  }
  const final = error instanceof PermanentError || job.attemptsMade + 1 >= job.attempts;
  metrics.failures.inc({ stage, code, final: String(final) });
  if (!final) {
    await records.retry(run, code);
    return { end: 'retry', error };
  }
  await endStage(records, run, error);
  return { end: 'failed', error };
}

/** The stage has failed for good: and with it the request, unless another look goes on. */
async function endStage(records: Runner['records'], run: StageRun, error: Error): Promise<void> {
  const { id, stage, token, generation } = run;
  // The failure is that of an earlier stage, whose runs have ended: no token of this one's would fit.
  if (error instanceof NobodyLooked) return void (await records.fail(id, error.failure, { generation }));
  const reason = failure(failureCode(error), clientMessage(error), stage);
  if (isSibling(run)) await records.giveUp(run, reason);
  else await records.fail(id, reason, { token, generation });
}

const firstOutageWaitMs = 500;
const longestOutageWaitMs = 60_000;

/**
 * How long a request waits for storage that is away, growing from start to start and never more than a tenth of the time
 * that is left; null when there is none left to wait. It spends no attempt: nothing of the request was tried, and
 * attempts that are over in seconds would fail, in an outage of half a minute, everything that comes by.
 */
export function outageWaitMs({ starts, leftMs }: Pick<RunFacts, 'starts' | 'leftMs'>, random: number): number | null {
  const longest = Math.min(longestOutageWaitMs, leftMs / 10);
  if (longest < firstOutageWaitMs) return null;
  const full = Math.min(longest, firstOutageWaitMs * 2 ** Math.min(starts - 1, 10));
  return Math.round(full * (1 - random / 2));
}

async function settleAbort(runner: Runner, run: StageRun, cause: Exclude<AbortCause, 'timeout'>): Promise<RunEnd> {
  switch (cause) {
    case 'canceled':
    case 'closed':
      return { end: 'skipped' };
    case 'deadline':
      return await failRequest(runner, run, failure('deadline_exceeded', deadlineMessage, run.stage));
    case 'shutdown':
      await runner.records.release(run, 'shutdown');
      return { end: 'released' };
  }
}

function failureCode(error: Error): FailureCode {
  if (error instanceof PermanentError || error instanceof TransientError) return error.code;
  if (error instanceof StageAbort) return 'stage_timeout';
  return 'internal_error';
}

/** An unexpected error's own words may hold anything, so that clients only get those of our typed errors. */
function clientMessage(error: Error): string {
  if (error instanceof PermanentError || error instanceof TransientError) return error.message;
  if (error instanceof StageAbort)
    return 'A stage took longer than it may, at every attempt. Send the request again later.';
  return 'Something broke on our side. Send the request again; if it happens again, report the id.';
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
