import type { FailureCode } from '@bunri/queue-contracts';
import { DeferredError, PermanentError, RateLimitedError, TransientError } from '@bunri/runtime';
import { canWait, mayWaitForBetter, waitAlone, type Patience } from './pass-on.ts';

/** An engine of a chain that did not answer, and why the next may be asked. */
export interface Passed {
  readonly code: FailureCode;
  readonly error: Error;
  /** ms until it may be asked again; undefined where this request has nothing more to hope of it. */
  readonly waitMs?: number;
  /** Whether every other request would be told the same. */
  readonly forAll: boolean;
  /** It works, but has no room for this call yet: worth a wait although others stand behind it. */
  readonly isBusy?: boolean;
}

export interface EndOfChain extends Patience {
  /** Whether the whole queue may wait where all engines do. */
  readonly mayHold: boolean;
}

/** Opened by what only an operator can cure: waiting would not help the request. */
const blocked = new Set<FailureCode>(['model_quota_exhausted', 'model_auth_failed']);

const refusals = {
  blocked: 'The model API does not serve this service for now, for its quota or its key; send the request again later.',
  unavailable: 'The model API has failed repeatedly and is not asked for the moment; send the request again later.',
  busy: 'The model API may not be asked so soon that the answer would be ready before the deadline; send the request again later, with a later deadline if it may wait.',
  inFlight:
    'What is left under the spending cap of the day is held by calls in flight for longer than this request may wait; send it again later.',
};

/** An engine whose breaker is open. */
export function passedByBreaker({ code, waitMs }: { code: FailureCode; waitMs: number }): Passed {
  const message = refusals[blocked.has(code) ? 'blocked' : 'unavailable'];
  return { code, waitMs, forAll: true, error: new PermanentError(code, message) };
}

/** An engine that asks to wait; undefined for every other error. A request never ends with a wait, so that each has a code. */
export function passedBusy(error: unknown): Passed | undefined {
  if (error instanceof RateLimitedError) {
    const code = 'model_unavailable';
    const ended = new PermanentError(code, refusals.busy, { cause: error });
    return { code, waitMs: error.retryAfterMs, forAll: true, isBusy: true, error: ended };
  }
  if (error instanceof DeferredError) {
    const code = 'spending_cap_reached';
    const ended = new PermanentError(code, refusals.inFlight, { cause: error });
    return { code, waitMs: error.waitMs, forAll: false, isBusy: true, error: ended };
  }
  return undefined;
}

/** An engine that failed so that another may do better. */
export function passedFailed(code: FailureCode, error: Error): Passed {
  return { code, error, forAll: blocked.has(code) };
}

const message = 'No model of the chain may be called for now.';

/** What the request does while others stand behind the last of `passed`: waits for it, alone; undefined: goes on to them. */
export function waitForBetter(passed: readonly Passed[], call: Patience, now: number): DeferredError | undefined {
  if (passed.at(-1)?.isBusy !== true) return undefined;
  const waitMs = waitOf(passed);
  if (waitMs === undefined) return undefined;
  const alone = waitAlone(call, waitMs, now);
  return mayWaitForBetter(call, alone, now) ? new DeferredError(alone, message) : undefined;
}

/** What becomes of the request when every engine has passed and nobody stands behind them. */
export function nothingLeft(passed: readonly Passed[], call: EndOfChain, now: number): Error {
  const [first] = passed;
  if (!first) return new Error('a chain has no engine');
  const waitMs = waitOf(passed);
  if (waitMs === undefined || !canWait(call, waitMs, now)) return first.error;
  // The cap would stand before the engine that is waited for, too.
  const capped = passed.find((each) => each.code === 'spending_cap_reached' && each.waitMs === undefined);
  if (capped) return capped.error;
  // The queue waits only for what nobody can be answered without: others may be answered by what this request is refused.
  if (call.mayHold && passed.every(({ forAll }) => forAll)) return new RateLimitedError(waitMs, message);
  const alone = waitAlone(call, waitMs, now);
  return new DeferredError(canWait(call, alone, now) ? alone : waitMs, message);
}

/** ms until the first of them may be asked again; undefined where none will, or where waiting would repeat an attempt. */
function waitOf(passed: readonly Passed[]): number | undefined {
  // An attempt that failed is an attempt: waiting instead would repeat it without end.
  if (passed.some(({ error }) => error instanceof TransientError)) return undefined;
  const waiting = passed.filter(({ waitMs }) => waitMs !== undefined);
  if (waiting.every(({ code }) => blocked.has(code))) return undefined;
  return Math.min(...waiting.map(({ waitMs = Infinity }) => waitMs));
}
