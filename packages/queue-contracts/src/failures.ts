import * as z from 'zod';

interface FailureDefinition {
  /** HTTP status where the failure is told at once, and the `status` of its problem document. */
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed when it is sent again later, unchanged. */
  readonly retryable: boolean;
}

/** Every way in which an accepted request can end without an answer. A code, once shipped, keeps its meaning. */
export const failures = {
  image_empty: { status: 400, title: 'The image is empty', retryable: false },
  image_too_large: { status: 413, title: 'The image file is too large', retryable: false },
  image_type_unsupported: { status: 415, title: 'The image type is not supported', retryable: false },
  image_undecodable: { status: 422, title: 'The image cannot be decoded', retryable: false },
  image_animated: { status: 422, title: 'Animated images are not accepted', retryable: false },
  image_too_small: { status: 422, title: 'The image is too small', retryable: false },
  image_pixels_exceeded: { status: 422, title: 'The image has too many pixels', retryable: false },
  image_url_forbidden: { status: 422, title: 'The image URL is not allowed', retryable: false },
  image_url_unreachable: { status: 422, title: 'The image URL could not be fetched', retryable: true },
  image_changed: { status: 422, title: 'The uploaded image is not the one that was accepted', retryable: false },
  image_missing: { status: 410, title: 'The stored image is gone', retryable: false },
  model_refused: { status: 422, title: 'The model refused to answer', retryable: false },
  model_output_invalid: { status: 502, title: 'The model gave an invalid answer', retryable: true },
  model_request_rejected: { status: 502, title: 'The model API rejected the call', retryable: false },
  model_auth_failed: { status: 502, title: 'The model API rejected the credentials', retryable: false },
  model_quota_exhausted: { status: 503, title: 'The quota at the model API is used up', retryable: true },
  model_unavailable: { status: 503, title: 'The model API is unavailable', retryable: true },
  model_timeout: { status: 504, title: 'The model API did not answer in time', retryable: true },
  engine_out_of_memory: { status: 503, title: 'The local model ran out of memory', retryable: true },
  engine_too_large: { status: 500, title: 'The local model is larger than its memory', retryable: false },
  spending_cap_reached: { status: 402, title: 'The spending cap of the day is reached', retryable: true },
  storage_unavailable: { status: 503, title: 'The object storage is unavailable', retryable: true },
  stage_timeout: { status: 504, title: 'A stage took too long', retryable: true },
  stage_contract_broken: { status: 500, title: 'A stage broke its contract', retryable: false },
  worker_lost: { status: 500, title: 'Workers died repeatedly on this request', retryable: true },
  ended_by_operator: { status: 503, title: 'An operator ended the request', retryable: true },
  deadline_exceeded: { status: 504, title: 'The deadline passed', retryable: true },
  internal_error: { status: 500, title: 'Internal error', retryable: true },
} as const satisfies Record<string, FailureDefinition>;

export type FailureCode = keyof typeof failures;
export const failureCodes = Object.keys(failures) as [FailureCode, ...FailureCode[]];

/**
 * Whether a request that failed so is kept as a dead letter: what broke was on our side or the provider's, so that an
 * operator may repair it and retry. What the client sent wrong has been told to the client.
 */
export function isDeadLetter(code: FailureCode): boolean {
  return failures[code].status >= 500;
}

/** The `error` of a failed request. `message` says what happened and what to do; it never quotes image, key or question. */
export const failureSchema = z.object({
  code: z.enum(failureCodes),
  message: z.string().min(1),
  stage: z.string().nullable(),
  retryable: z.boolean(),
});
export type Failure = z.infer<typeof failureSchema>;

export function failure(code: FailureCode, message: string, stage: string | null = null): Failure {
  return { code, message, stage, retryable: failures[code].retryable };
}
