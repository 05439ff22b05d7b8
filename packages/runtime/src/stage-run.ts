import type { z } from 'zod';
import {
  jobDataSchema,
  jobDataVersion,
  siblingDelayMs,
  stages,
  type JobData,
  type StageInput,
  type StageName,
  type StageOutput,
} from '@bunri/queue-contracts';
import type { AbortRegistry } from './abort-registry.ts';
import { streamAnswer } from './answer-stream.ts';
import type { Carry } from './closing.ts';
import { PermanentError, StageAbort, TransientError, type AbortCause } from './errors.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { patientRecords, StoreUnavailable } from './patient-records.ts';
import { suspectAfter } from './record-scripts.ts';
import type { RecordStore, StageRun } from './records.ts';
import { comesEarly, isSibling, stageInput } from './stage-input.ts';
import { refuse, settle, toError } from './stage-settle.ts';
import { stageCounters } from './statistics.ts';
import { runSpan, tellEnd, tellStart } from './stage-trace.ts';
import { inTrace, type TraceSpan } from './tracing.ts';

export interface HandlerContext {
  /** Bound to stage, request and job. */
  readonly log: Logger;
  /** Aborted with a `StageAbort` on shutdown, cancellation, time-out and deadline. */
  readonly signal: AbortSignal;
  readonly jobId: string;
  /** Whether the request fails if this run fails. */
  readonly lastAttempt: boolean;
  /** Shows clients that listen the answer as it grows; takes what reads the whole text so far, when a piece is to be sent. */
  readonly onAnswer: (readText: () => string) => void;
}

export interface HandlerResult<S extends StageName> {
  readonly output: StageOutput<S>;
  /** True when no paid or heavy work was done. */
  readonly cached: boolean;
}

export type Handler<S extends StageName> = (input: StageInput<S>, context: HandlerContext) => Promise<HandlerResult<S>>;

export interface StageRunner<S extends StageName> {
  readonly stage: S;
  readonly handler: Handler<S>;
  readonly records: RecordStore;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Of this process: who takes a request along that may have killed earlier runs. */
  readonly suspects: { held: boolean };
  readonly now?: () => number;
}

export interface JobFacts {
  readonly jobId: string;
  readonly data: unknown;
  /** Attempts that have failed before this one, and how many there may be. */
  readonly attemptsMade: number;
  readonly attempts: number;
  /** Unique to this run. */
  readonly token: string;
  /** What the record said, where the stage began when the job was taken. */
  readonly begun?: string[] | undefined;
  /** Takes the result along to where the job is completed. Without it the result is written by itself. */
  readonly carry?: Carry;
}

/** How a run ended, for whoever owns the job. */
export type RunEnd =
  | { end: 'completed' | 'skipped' | 'fenced' }
  | { end: 'failed'; error: Error }
  | { end: 'retry'; error: Error }
  | { end: 'released' }
  | { end: 'rate_limited'; retryAfterMs: number }
  /** Somebody else does the same work, or the job was put off alone; to be looked at again after the wait. */
  | { end: 'waiting'; waitMs: number };

/**
 * One run of a stage: take the record, check the input, let the handler work, check its output, write the result. It knows
 * nothing of BullMQ. The record is written before the job is settled, or in the same script where `carry` takes it along;
 * where it was written alone, a death between the two repeats the run, which then finds the stage done.
 */
export async function runStage<S extends StageName>(
  given: StageRunner<S>,
  job: JobFacts,
  abort: Pick<AbortRegistry, 'track' | 'heardOf'>,
): Promise<RunEnd> {
  const { stage } = given;
  const parsed = jobDataSchema.safeParse(job.data);
  // Written by a later release, while that is rolled out: its own workers will take it.
  if (isNewer(job.data)) return { end: 'waiting', waitMs: newerWaitMs };
  if (!parsed.success)
    return { end: 'failed', error: new PermanentError('stage_contract_broken', 'the job data is not ours') };
  const { requestId, generation = 0, looks, trace } = parsed.data;
  const run: StageRun = { id: requestId, stage, token: job.token, generation, looks };
  const plan = () => runSpan(run, job.jobId);
  return await inTrace(trace, plan, async (span) => await runOwn(given, run, { job, data: parsed.data, span }, abort));
}

/** One run of a job that is ours. */
async function runOwn<S extends StageName>(
  given: StageRunner<S>,
  run: StageRun,
  { job, data, span }: Pick<Taking, 'job' | 'data' | 'span'>,
  abort: Pick<AbortRegistry, 'track' | 'heardOf'>,
): Promise<RunEnd> {
  const { stage, metrics, now = Date.now } = given;
  const log = given.log.child({ stage, request_id: run.id, job_id: job.jobId });
  const tracked = abort.track(run.id);
  const { signal } = tracked.controller;
  const runner = { ...given, records: { ...given.records, ...patientRecords(given.records, { signal, log, now }) } };
  const startedAt = now();
  metrics.stageInFlight.inc({ stage });
  let result: { end: RunEnd; cached: boolean };
  try {
    // Begun before it could be aborted, it asks the record again where it has been.
    const begun = abort.heardOf(run.id) ? undefined : job.begun;
    const { controller } = tracked;
    result = await take(runner, run, { job: { ...job, begun }, data, span, log, controller, startedAt });
  } catch (error) {
    // The record is as it was: the job goes back, unharmed.
    if (!(error instanceof StoreUnavailable)) throw error;
    result = { end: { end: 'waiting', waitMs: storeWaitMs }, cached: false };
  } finally {
    tracked.untrack();
    metrics.stageInFlight.dec({ stage });
  }
  report(runner, log, result.end, { cached: result.cached, durationMs: now() - startedAt });
  tellEnd(span, result);
  return result.end;
}

/** Before a job whose record could not be written is looked at again. */
const storeWaitMs = 2_000;
const newerWaitMs = 2_000;

function isNewer(data: unknown): boolean {
  const version: unknown = typeof data === 'object' && data !== null && 'v' in data ? data.v : undefined;
  return typeof version === 'number' && version > jobDataVersion;
}

interface Taking {
  readonly job: JobFacts;
  readonly data: JobData;
  readonly span: TraceSpan | null;
  readonly log: Logger;
  readonly controller: AbortController;
  readonly startedAt: number;
}

async function take<S extends StageName>(
  runner: StageRunner<S>,
  run: StageRun,
  { job, data, span, log, controller, startedAt }: Taking,
): Promise<{ end: RunEnd; cached: boolean }> {
  const { stage, records, metrics, now = Date.now } = runner;
  // Not begun at all: the record goes on saying where the request is, and since when.
  if (data.deadlineAt > now() && (await comesEarly(run, records)))
    return { end: { end: 'waiting', waitMs: siblingDelayMs }, cached: false };
  const taken = await records.start(run, runner.suspects.held, job.begun);
  if (taken.outcome !== 'started') return { end: await refuse(runner, run, taken), cached: false };
  const suspect = taken.lost >= suspectAfter;
  if (suspect && runner.suspects.held) {
    // Both had begun as they were taken, before either ran.
    await records.release(run, 'isolated');
    return { end: await refuse(runner, run, { outcome: 'isolated' }), cached: false };
  }
  const waitedMs = Math.max(0, startedAt - taken.readyAt);
  metrics.stageWaitSeconds.observe({ stage }, waitedMs / 1000);
  if (span) tellStart(span, stage, { trace: data.trace, starts: taken.attempt, startedAt, waitedMs });
  if (suspect) runner.suspects.held = true;
  const lastAttempt = job.attemptsMade + 1 >= job.attempts;
  const facts = () => ({ job, starts: taken.attempt, leftMs: data.deadlineAt - now() });
  const bounded = boundTime(controller, stages[stage].timeoutMs, data, now);
  let result: HandlerResult<S>;
  try {
    const input = await stageInput(run, taken, records);
    result = await handle(runner, run, input, { log, jobId: job.jobId, signal: controller.signal, lastAttempt });
  } catch (error) {
    return { end: await settle(runner, run, facts(), toError(error)), cached: false };
  } finally {
    clearTimeout(bounded);
    if (suspect) runner.suspects.held = false;
  }
  const end = await finish(runner, run, result, { durationMs: now() - startedAt, carry: job.carry });
  if (end !== 'unstored') return { end, cached: result.cached };
  const unstored = new TransientError('storage_unavailable', 'the picture was removed meanwhile; it is stored again');
  return { end: await settle(runner, run, facts(), unstored), cached: false };
}

/** Ends the run at the stage's time-out or the request's deadline, whichever is first. */
function boundTime(controller: AbortController, timeoutMs: number, data: JobData, now: () => number): NodeJS.Timeout {
  const leftMs = data.deadlineAt - now();
  const cause: AbortCause = leftMs < timeoutMs ? 'deadline' : 'timeout';
  return setTimeout(() => controller.abort(new StageAbort(cause)), Math.max(0, Math.min(timeoutMs, leftMs)));
}

async function handle<S extends StageName>(
  runner: StageRunner<S>,
  run: StageRun,
  input: unknown,
  context: Omit<HandlerContext, 'onAnswer'>,
): Promise<HandlerResult<S>> {
  const { input: inputSchema, output: outputSchema } = stages[run.stage];
  const answer = streamAnswer(runner.records, run);
  const work = runner.handler(checked(inputSchema, input, 'input') as StageInput<S>, {
    ...context,
    onAnswer: answer.push,
  });
  try {
    // A handler that cannot be aborted must not hold the slot: its late result is fenced off.
    const result = await Promise.race([work, rejectOnAbort(context.signal)]);
    return { ...result, output: checked(outputSchema, result.output, 'output') as StageOutput<S> };
  } finally {
    await answer.close();
  }
}

function checked(schema: z.ZodObject, value: unknown, side: 'input' | 'output'): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const paths = result.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new PermanentError('stage_contract_broken', `The ${side} of the stage does not fit its schema at: ${paths}.`);
}

async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const onAbort = () => reject(toError(signal.reason));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

async function finish<S extends StageName>(
  { records, metrics }: StageRunner<S>,
  run: StageRun,
  result: HandlerResult<S>,
  { durationMs, carry }: { durationMs: number; carry: Carry | undefined },
): Promise<RunEnd | 'unstored'> {
  const counters = stageCounters(run.stage, { ...result, durationMs }, isSibling(run) && run.stage !== 'vision');
  const { outcome } = await records.finish(run, { ...result, durationMs, counters }, carry);
  if (outcome === 'unstored') return outcome;
  if (outcome !== 'finished') return { end: outcome === 'fenced' ? 'fenced' : 'skipped' };
  metrics.stageSeconds.observe({ stage: run.stage, cached: String(result.cached) }, durationMs / 1000);
  return { end: 'completed' };
}

function report(
  { metrics, stage }: StageRunner<StageName>,
  log: Logger,
  end: RunEnd,
  facts: { cached: boolean; durationMs: number },
): void {
  metrics.stageRuns.inc({ stage, outcome: end.end === 'completed' && facts.cached ? 'cached' : end.end });
  const line = { outcome: end.end, duration_ms: facts.durationMs, cached: facts.cached };
  if (end.end === 'failed' || end.end === 'retry') log.warn('stage', { ...line, error: end.error });
  else log.info('stage', line);
}
