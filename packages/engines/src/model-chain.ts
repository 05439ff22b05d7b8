import { nothingUsed, stages, type FailureCode, type Usage } from '@bunri/queue-contracts';
import {
  PermanentError,
  RateLimitedError,
  TransientError,
  type AdmittedCall,
  type BreakerAnswer,
  type CircuitBreaker,
  type Logger,
  type Metrics,
  type ModelBudget,
  type Reservation,
  type Spending,
} from '@bunri/runtime';
import type { InferenceEngine, Prediction } from './engine.ts';
import { callMetered, usageBefore } from './metered-model.ts';
import {
  nothingLeft,
  passedBusy,
  passedByBreaker,
  passedFailed,
  waitForBetter,
  type EndOfChain,
  type Passed,
} from './model-chain-end.ts';
import { timedOut } from './model-errors.ts';
import { perhapsPaid } from './paid-failure.ts';
import { reasonToPassOn, timeForCall } from './pass-on.ts';
import { costUsd, type ExpectedTokens, type Prices } from './prices.ts';
import { toldBefore } from './rate-limit-headers.ts';

/** One engine of a chain, with all that stands before its calls. */
export interface ChainLink<Task, Value> {
  readonly engine: InferenceEngine<Task, Value>;
  /** Provider and model, as `primary:gpt-5`. */
  readonly name: string;
  /** Tells this engine's answers from all others in a cache key: where it is, which model, how it thinks. */
  readonly identity: string;
  readonly breaker: CircuitBreaker;
  readonly budget: ModelBudget;
  /** Its calls cost nothing, whatever the price table says. Default false. */
  readonly isFree?: boolean;
  /** About what a call will use. */
  readonly expect: (task: Task) => ExpectedTokens;
}

/** The first choice, then who stands in for it. */
export type Chain<Task, Value> = readonly [ChainLink<Task, Value>, ...ChainLink<Task, Value>[]];

export interface ChainCall<Task, Value, Output> extends EndOfChain {
  /** Whose spending cap pays. */
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** When this run of the stage began, epoch ms, where something came before the chain. */
  readonly startedAt?: number;
  /** Asked for once, and only where a call will be made or the breaker was closed when last seen. */
  readonly task: () => Promise<Task>;
  readonly onText?: (textSoFar: string) => void;
  /** What this engine has answered to the same before. */
  readonly recall: (link: ChainLink<Task, Value>) => Promise<Output | null>;
  /** Makes the output of what the engine said, and keeps it for `recall`. What it throws is the call's failure. */
  readonly accept: (
    said: Prediction<Value> & { readonly usage: Usage },
    link: ChainLink<Task, Value>,
  ) => Promise<Output>;
  /** Answers when every engine has passed. */
  readonly lastResort?: (why: FailureCode) => Output;
}

export interface ChainDeps {
  readonly spending: Pick<Spending, 'reserve'>;
  readonly prices: Prices;
  readonly metrics: Metrics;
  readonly now?: () => number;
}

export interface ChainAnswer<Output> {
  readonly output: Output;
  /** Why the first choice did not answer, where another did. */
  readonly degraded?: FailureCode;
  readonly cached: boolean;
}

/**
 * Asks the engines of a chain in order until one answers: breaker, spending cap and budget first, then the call, which is
 * settled with all three whatever comes of it. Trouble that another attempt may cure is thrown, and the chain goes on only
 * on the last attempt; trouble that no repetition cures, a breaker that is open and a cap that is reached go on at once. A
 * rate limit is waited for while enough time is left for those behind, then it goes on too.
 *
 * @throws RateLimitedError where every engine waits, for reasons that hold for all requests, and the deadline leaves time
 * for it; DeferredError where this request alone is to wait, for the first that may be asked; else the error of the engine
 * that must not be passed, or when none is left the cap's or the first one's; the signal's reason once that is aborted.
 */
export async function callChain<Task, Value, Output>(
  chain: Chain<Task, Value>,
  given: ChainCall<Task, Value, Output>,
  deps: ChainDeps,
): Promise<ChainAnswer<Output>> {
  let task: Promise<Task> | undefined;
  const call = { ...given, task: async () => await (task ??= given.task()) };
  const { now = Date.now } = deps;
  const stageEndsAt = (call.startedAt ?? now()) + stages[call.stage].timeoutMs;
  const passed: Passed[] = [];
  const answered = (output: Output, cached: boolean, by: string): ChainAnswer<Output> => {
    const degraded = passed[0]?.code;
    if (degraded === undefined) return { output, cached };
    deps.metrics.degradedAnswers.inc({ stage: call.stage, code: degraded });
    call.log.warn('a fallback answered', { code: degraded, by });
    return { output, cached, degraded };
  };
  for (const [i, link] of chain.entries()) {
    const recalled = await call.recall(link);
    if (recalled !== null) return answered(recalled, true, link.name);
    const behind = i + 1 < chain.length ? 'model' : call.lastResort ? 'rules' : 'nobody';
    const timeMs = timeForCall(call, { now: now(), stageEndsAt }, behind);
    const result = await ask(link, call, deps, timeMs);
    if ('output' in result) return answered(result.output, false, link.name);
    passed.push(result);
    const wait = behind === 'nobody' ? undefined : waitForBetter(passed, call, now());
    if (wait) throw wait;
  }
  const why = passed[0]?.code;
  if (call.lastResort && why !== undefined) return answered(call.lastResort(why), false, 'rules');
  throw nothingLeft(passed, call, now());
}

/** @param timeMs how long the call may take, where others stand behind it. */
async function ask<Task, Value, Output>(
  link: ChainLink<Task, Value>,
  call: ChainCall<Task, Value, Output>,
  deps: ChainDeps,
  timeMs: number | undefined,
): Promise<{ output: Output } | Passed> {
  const { now = Date.now } = deps;
  const outOfTime = new AbortController();
  const timer = timeMs === undefined ? undefined : setTimeout(() => outOfTime.abort(), timeMs);
  const signal = timeMs === undefined ? call.signal : AbortSignal.any([call.signal, outOfTime.signal]);
  const bounded = { ...call, signal };
  try {
    // A breaker that was closed is asked along with the others, so that a call waits for all of them once.
    const early = link.breaker.wasClosed ? async () => await book(link, bounded, deps) : undefined;
    const [answer, booking] = await admit(link, early);
    if (!answer.admitted) return passedByBreaker(answer);
    try {
      const output = await pay(link, bounded, deps, await (booking ?? book(link, bounded, deps)));
      void answer.call.succeeded();
      return { output };
    } catch (error) {
      const isLate = outOfTime.signal.aborted && !call.signal.aborted;
      // That a model needs longer than a short rest of time says nothing about it.
      const isTelling = !isLate || (timeMs ?? 0) >= tellingTimeMs;
      await answer.call.failed(isTelling ? (isLate ? timedOut() : error) : undefined);
      if (isLate) return passedFailed('model_timeout', timedOut());
      if (call.signal.aborted) throw error;
      const busy = passedBusy(error);
      if (busy) return busy;
      const code = reasonToPassOn(error, call, now());
      if (code === undefined || !(error instanceof Error)) throw error;
      return passedFailed(code, error);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Asks the breaker, and with it what `early` asks; that is given back where the breaker refuses. */
async function admit<Task>(
  { breaker }: Pick<ChainLink<never, never>, 'breaker'>,
  early: (() => Promise<Booking<Task>>) | undefined,
): Promise<[BreakerAnswer, Promise<Booking<Task>> | undefined]> {
  const asked = breaker.admit();
  const booking = early?.();
  // Whoever waits for it hears it.
  booking?.catch(() => undefined);
  const answer = await asked;
  // Neither what is given back nor a booking that failed changes the answer.
  if (!answer.admitted) void booking?.then(giveBack, () => undefined);
  return [answer, booking];
}

/** Longer than answers take. */
const tellingTimeMs = 15_000;

/** Engines whose answers said that they are simulated. A process only knows once it has had an answer. */
const simulated = new WeakSet<object>();

/** What a call has to have before it is made. */
interface Booking<Task> {
  readonly task: Task;
  readonly reservation: Reservation;
  readonly admitted: AdmittedCall;
}

async function book<Task, Value, Output>(
  { engine, budget, expect, isFree }: ChainLink<Task, Value>,
  call: ChainCall<Task, Value, Output>,
  { spending, prices }: ChainDeps,
): Promise<Booking<Task>> {
  const { signal, stage, owner } = call;
  const task = await call.task();
  const expected = expect(task);
  const most = { ...expected, output: expected.mostOutput };
  const usd = isFree || simulated.has(engine) ? 0 : costUsd(prices, engine.model, most);
  const [reserved, room] = await Promise.allSettled([
    spending.reserve({ owner, stage, usd }),
    budget.admit({ tokens: expected.input + expected.output, signal }),
  ]);
  if (reserved.status === 'rejected') {
    if (room.status === 'fulfilled') await room.value.giveBack();
    throw reserved.reason;
  }
  if (room.status === 'rejected') {
    await reserved.value.settle(nothingUsed);
    throw room.reason;
  }
  return { task, reservation: reserved.value, admitted: room.value };
}

/** In place of the call. */
async function giveBack({ reservation, admitted }: Booking<unknown>): Promise<void> {
  await Promise.all([reservation.settle(nothingUsed), admitted.giveBack()]);
}

async function pay<Task, Value, Output>(
  link: ChainLink<Task, Value>,
  call: ChainCall<Task, Value, Output>,
  { prices, metrics }: ChainDeps,
  { task, reservation, admitted }: Booking<Task>,
): Promise<Output> {
  const { engine, budget } = link;
  const { signal, onText } = call;
  let usage: Usage | undefined;
  let told: Prediction<Value>['told'];
  try {
    const follow = onText && { onText: (_task: Task, textSoFar: string) => onText(textSoFar) };
    const said = await callMetered({ engine, prices, metrics }, task, { signal, ...follow });
    ({ usage, told } = said);
    if (said.engine.provider === 'simulator') simulated.add(engine);
    // Kept before it is settled: a run that repeats this one after a crash must not pay again.
    return await call.accept(said, link);
  } catch (error) {
    usage ??=
      usageBefore(engine.model, prices, error) ?? (link.isFree || costsNothing(error) ? nothingUsed : undefined);
    told ??= toldBefore(error);
    if (error instanceof RateLimitedError) await budget.pause(error.retryAfterMs);
    throw error;
  } finally {
    const tokens = usage ? usage.input_tokens + usage.output_tokens : null;
    // Neither rejects, and nobody has to wait for them: what comes of the call is sent behind them.
    void reservation.settle(usage);
    void admitted.settle(tokens, told);
  }
}

/**
 * Calls that a provider refuses are not billed. One that timed out, was aborted, broke off half way or ended without
 * telling its tokens may have been: then what was expected of it stays counted.
 */
function costsNothing(error: unknown): boolean {
  if (perhapsPaid(error)) return false;
  if (error instanceof RateLimitedError || error instanceof PermanentError) return true;
  return error instanceof TransientError && error.code === 'model_unavailable';
}
