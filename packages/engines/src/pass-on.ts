import type { FailureCode, LookStage } from '@bunri/queue-contracts';
import { PermanentError, TransientError } from '@bunri/runtime';

/**
 * Whether another engine may do better where one failed: `at_once`, since repeating the call cures nothing;
 * `last_attempt`, when no other attempt will follow; `never`, where the fault is not the provider's, or was paid for and may
 * come from any model.
 */
const cures: Record<FailureCode, 'at_once' | 'last_attempt' | 'never'> = {
  model_quota_exhausted: 'at_once',
  model_auth_failed: 'at_once',
  model_request_rejected: 'at_once',
  engine_too_large: 'at_once',
  spending_cap_reached: 'at_once',
  model_unavailable: 'last_attempt',
  model_timeout: 'last_attempt',
  engine_out_of_memory: 'last_attempt',
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
  image_changed: 'never',
  storage_unavailable: 'never',
  stage_timeout: 'never',
  stage_contract_broken: 'never',
  worker_lost: 'never',
  deadline_exceeded: 'never',
  ended_by_operator: 'never',
  internal_error: 'never',
};

/** The least time that an answer takes, ms: closer to the deadline no wait is worth it. */
const leastAnswerMs = 2_000;

/** Before the second attempt of either stage, ms: closer to the deadline there will be none. */
const longestBackoffMs = 1_000;

/** A wait becomes so much longer by the jitter of whoever hands the job back. */
const jitter = 1.1;

/** The stages that ask models. */
type ModelStage = LookStage | 'llm';

/**
 * The end of a request's time that is not spent on waiting for an engine while another stands behind it: as a share of the
 * whole time, and at least in ms. What comes after the wait must fit: the other's answer, and the later stages.
 */
const keptForOthers: Record<ModelStage, { readonly share: number; readonly leastMs: number }> = {
  vision: { share: 2 / 3, leastMs: 20_000 },
  'vision.local': { share: 2 / 3, leastMs: 20_000 },
  llm: { share: 1 / 3, leastMs: 8_000 },
};

/** Of a longer time only the last hour is shared out; a retried request's time began long before it was retried, too. */
const longestSharedMs = 3_600_000;

export interface Patience {
  readonly stage: ModelStage;
  readonly lastAttempt: boolean;
  /** When the request came, epoch ms. */
  readonly createdAt: number;
  /** Epoch ms. */
  readonly deadlineAt: number;
}

/** Whether the request can wait so long and still be answered. */
export function canWait({ deadlineAt }: Pick<Patience, 'deadlineAt'>, waitMs: number, now: number): boolean {
  return now + waitMs * jitter + leastAnswerMs < deadlineAt;
}

/**
 * Whether the request may wait so long for an engine while another stands behind it. However often it is asked, those
 * waits end early enough for the others.
 */
export function mayWaitForBetter(
  { stage, createdAt, deadlineAt }: Pick<Patience, 'stage' | 'createdAt' | 'deadlineAt'>,
  waitMs: number,
  now: number,
): boolean {
  const { share, leastMs } = keptForOthers[stage];
  const keptMs = Math.max(leastMs, share * Math.min(deadlineAt - createdAt, longestSharedMs));
  return now + waitMs * jitter <= deadlineAt - keptMs;
}

const longestStretchMs = 30_000;

/**
 * How long a request waits that waits alone: the longer it has waited, the less often it looks, so that thousands of them
 * are not taken and put back every second. Never more than a tenth of the time that it has been or has left.
 */
export function waitAlone(
  { createdAt, deadlineAt }: Pick<Patience, 'createdAt' | 'deadlineAt'>,
  waitMs: number,
  now: number,
): number {
  return Math.max(waitMs, Math.min((now - createdAt) / 10, (deadlineAt - now) / 10, longestStretchMs));
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
  { lastAttempt, deadlineAt }: Pick<Patience, 'lastAttempt' | 'deadlineAt'>,
  { now, stageEndsAt }: RunTime,
  behind: 'model' | 'rules' | 'nobody',
): number | undefined {
  if (behind === 'nobody' || (!lastAttempt && stageEndsAt < deadlineAt)) return undefined;
  const left = Math.max(0, Math.min(stageEndsAt, deadlineAt) - now);
  return behind === 'model' ? (left * 2) / 3 : Math.max(left - leastAnswerMs, left / 2);
}

/** Why the chain goes on to the next engine after this error, which is none that asks to wait; undefined where it must not. */
export function reasonToPassOn(
  error: unknown,
  patience: Pick<Patience, 'lastAttempt' | 'deadlineAt'>,
  now: number,
): FailureCode | undefined {
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
