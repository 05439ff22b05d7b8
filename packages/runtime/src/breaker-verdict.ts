import { failureCodes, type FailureCode } from '@bunri/queue-contracts';
import { PermanentError, TransientError } from './errors.ts';

/**
 * What a failed call says about its model: `failure`, the model is not available, and some of these in a row open its
 * breaker; `blocked`, nothing will work until an operator acts, which opens it at once; `nothing`.
 */
type Verdict = 'failure' | 'blocked' | 'nothing';

const verdicts: Record<FailureCode, Verdict> = {
  model_unavailable: 'failure',
  model_timeout: 'failure',
  model_quota_exhausted: 'blocked',
  model_auth_failed: 'blocked',
  // The model answered, but not so that it proves more than that: something between may have answered in its place.
  model_output_invalid: 'nothing',
  model_refused: 'nothing',
  // Of this one call: another photo or a shorter question may pass.
  model_request_rejected: 'nothing',
  // Of one process: another may have the room.
  engine_out_of_memory: 'nothing',
  engine_too_large: 'nothing',
  // Not the model's doing.
  image_empty: 'nothing',
  image_too_large: 'nothing',
  image_type_unsupported: 'nothing',
  image_undecodable: 'nothing',
  image_animated: 'nothing',
  image_too_small: 'nothing',
  image_pixels_exceeded: 'nothing',
  image_url_forbidden: 'nothing',
  image_url_unreachable: 'nothing',
  image_changed: 'nothing',
  image_missing: 'nothing',
  spending_cap_reached: 'nothing',
  storage_unavailable: 'nothing',
  stage_timeout: 'nothing',
  stage_contract_broken: 'nothing',
  worker_lost: 'nothing',
  deadline_exceeded: 'nothing',
  ended_by_operator: 'nothing',
  internal_error: 'nothing',
};

/** The failures that can open a breaker. */
export const openingCodes: readonly FailureCode[] = failureCodes.filter((code) => verdicts[code] !== 'nothing');

/** Rate limits, aborts and errors of our own say nothing: they are none of the two kinds that have a code. */
export function breakerVerdict(error: unknown): { verdict: Verdict; code: FailureCode | '' } {
  if (!(error instanceof PermanentError || error instanceof TransientError)) return { verdict: 'nothing', code: '' };
  return { verdict: verdicts[error.code], code: error.code };
}
