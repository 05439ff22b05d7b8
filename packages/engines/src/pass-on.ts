import type { FailureCode } from '@bunri/queue-contracts';
import { PermanentError, RateLimitedError, TransientError } from '@bunri/runtime';

/**
 * Whether another engine may do better where one failed: `at_once`, since repeating the call cures nothing;
 * `last_attempt`, when no other attempt will follow; `never`, where the fault is not the provider's, or was paid for and may
 * come from any model.
 */
const cures: Record<FailureCode, 'at_once' | 'last_attempt' | 'never'> = {
  model_quota_exhausted: 'at_once',
  model_auth_failed: 'at_once',
  model_request_rejected: 'at_once',
  spending_cap_reached: 'at_once',
  model_unavailable: 'last_attempt',
  model_timeout: 'last_attempt',
  model_refused: 'never',
  model_output_invalid: 'never',
  image_empty: 'never',
  image_too_large: 'never',
  image_type_unsupported: 'never',
  image_undecodable: 'never',
  image_animated: 'never',
  image_too_small: 'never',
  image_pixels_exceeded: 'never',
  image_url_forbidden: 'never',
  image_url_unreachable: 'never',
  image_missing: 'never',
  storage_unavailable: 'never',
  stage_timeout: 'never',
  stage_contract_broken: 'never',
  worker_lost: 'never',
  deadline_exceeded: 'never',
  internal_error: 'never',
};

/** The least time that an answer takes, ms: closer to the deadline no wait is worth it. */
const leastAnswerMs = 2_000;

/** Before the second attempt of either stage, ms: closer to the deadline there will be none. */
const longestBackoffMs = 1_000;

export interface Patience {
  readonly lastAttempt: boolean;
  /** Epoch ms. */
  readonly deadlineAt: number;
}

/** Whether the request can wait so long and still be answered. */
export function canWait({ deadlineAt }: Patience, waitMs: number, now: number): boolean {
  return now + waitMs + leastAnswerMs < deadlineAt;
}

/** The time of a run: it is aborted at the end of its stage's time or at the deadline, whichever is first. Epoch ms. */
interface RunTime {
  readonly now: number;
  readonly stageEndsAt: number;
}

/**
 * How long a call may take, in ms, so that those who stand behind it in the chain still have time to answer; undefined where
 * nobody does, or where another attempt will follow anyway: one that ends with its stage's time and is not the last.
 */
export function timeForCall(
  { lastAttempt, deadlineAt }: Patience,
  { now, stageEndsAt }: RunTime,
  behind: 'model' | 'rules' | 'nobody',
): number | undefined {
  if (behind === 'nobody' || (!lastAttempt && stageEndsAt < deadlineAt)) return undefined;
  const left = Math.max(0, Math.min(stageEndsAt, deadlineAt) - now);
  return behind === 'model' ? (left * 2) / 3 : Math.max(left - leastAnswerMs, left / 2);
}

/** Why the chain goes on to the next engine after this error; undefined where it must not. */
export function reasonToPassOn(error: unknown, patience: Patience, now: number): FailureCode | undefined {
  // There is no code for a rate limit, since a request never ends with one.
  if (error instanceof RateLimitedError) {
    return canWait(patience, error.retryAfterMs, now) ? undefined : 'model_unavailable';
  }
  if (!(error instanceof PermanentError || error instanceof TransientError)) return undefined;
  switch (cures[error.code]) {
    case 'at_once':
      return error.code;
    case 'last_attempt':
      return patience.lastAttempt || !canWait(patience, longestBackoffMs, now) ? error.code : undefined;
    case 'never':
      return undefined;
  }
}
