import { APIConnectionTimeoutError, APIError } from 'openai';
import { PermanentError, RateLimitedError, TransientError } from '@bunri/runtime';
import { isObject } from './parse-json.ts';
import { noteTold, toldLimits } from './rate-limit-headers.ts';
import { retryAfterMs } from './retry-after.ts';

type ModelError = PermanentError | TransientError | RateLimitedError;

/**
 * Translates what the SDK threw. The SDK's own error is never handed on as the cause: its text quotes what the API said,
 * which may quote the key, the prompt or the model's output. What its headers tell of the API's limits is noted.
 *
 * @param now epoch milliseconds.
 */
export function modelError(error: unknown, now: number): ModelError {
  if (error instanceof APIConnectionTimeoutError) return timedOut();
  if (!(error instanceof APIError) || error.status === undefined) return connectionFailed();
  const failure = refusedCall(error.status, error, now);
  noteTold(failure, toldLimits(error.headers));
  return failure;
}

export function connectionFailed(): TransientError {
  return new TransientError('model_unavailable', 'The connection to the model API failed; try again later.');
}

export function halfWay(): TransientError {
  return new TransientError('model_unavailable', 'The model API ended its answer half way; try again later.');
}

export function timedOut(): TransientError {
  return new TransientError('model_timeout', 'The model API did not answer in time; try again later.');
}

export function refused(why: string): PermanentError {
  return new PermanentError('model_refused', `The model refused: ${why}. Try another photo or question.`);
}

export function invalidOutput(why: string): TransientError {
  return new TransientError('model_output_invalid', `The model's answer could not be used: ${why}; try again later.`);
}

/**
 * A call that was answered with a status other than 2xx. Statuses that are not named here: up to 4xx it is ours to repair,
 * the rest is theirs.
 */
function refusedCall(status: number, { error, headers, requestID }: APIError, now: number): ModelError {
  const [code, type] = [codeOf(error), textOf(error, 'type')];
  const said = describe(status, code ?? type, requestID);
  switch (status) {
    case 401:
    case 403:
      return new PermanentError(
        'model_auth_failed',
        `The model API did not accept this service's credentials ${said}; its operator must check the API key.`,
      );
    case 402:
      return quotaExhausted(said);
    case 429:
      return isQuota(code) || isQuota(type) ? quotaExhausted(said) : rateLimited(said, headers, now);
    case 408:
    case 409:
      return unavailable(said);
    default:
      if (status >= 500) return unavailable(said);
      return isPolicy(code) ? refused('the API finds the content against its policy') : rejected(said);
  }
}

/** The `code` of an error as the API sends it. */
export function codeOf(error: unknown): string | undefined {
  return textOf(error, 'code');
}

function textOf(error: unknown, name: string): string | undefined {
  const value = isObject(error) ? error[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** A call that was accepted with 200 and failed afterwards: `response.failed`, or an `error` event in the stream. */
export function failedAnswer(code: string | null | undefined, headers: Headers | undefined, now: number): ModelError {
  const said = describe(undefined, code, headers?.get('x-request-id'));
  if (isQuota(code)) return quotaExhausted(said);
  if (code === 'rate_limit_exceeded') return rateLimited(said, headers, now);
  if (isPolicy(code)) return refused('the API finds the content against its policy');
  return code !== null && code !== undefined && ourFaults.test(code) ? rejected(said) : unavailable(said);
}

/** Codes of `response.error` that say that the prompt or the image was wrong; see `ResponseError` in OpenAI's reference. */
const ourFaults = /^(invalid_|unsupported_|empty_|image_|failed_to_download_|data_residency_)/;

function isQuota(code: string | null | undefined): boolean {
  return code === 'insufficient_quota' || (code?.startsWith('billing_') ?? false);
}

function isPolicy(code: string | null | undefined): boolean {
  return code === 'content_filter' || (code?.endsWith('policy_violation') ?? false) || code === 'bio_policy';
}

function quotaExhausted(said: string): PermanentError {
  return new PermanentError(
    'model_quota_exhausted',
    `The quota of this service at the model API is used up ${said}; send the request again later.`,
  );
}

function rateLimited(said: string, headers: Headers | undefined, now: number): RateLimitedError {
  return new RateLimitedError(retryAfterMs(headers, now), `The model API asked to wait ${said}.`);
}

function unavailable(said: string): TransientError {
  return new TransientError('model_unavailable', `The model API failed ${said}; try again later.`);
}

function rejected(said: string): PermanentError {
  return new PermanentError(
    'model_request_rejected',
    `The model API rejected the call ${said}; the operator of this service must check the model's settings.`,
  );
}

/** Status, code and request id, the only parts of the API's answer that are safe to repeat. */
function describe(status: number | undefined, code: string | null | undefined, requestId?: string | null): string {
  const parts = [
    ...(status === undefined ? [] : [`status ${status}`]),
    ...(isIdentifier(code) ? [`code ${code}`] : []),
    ...(isIdentifier(requestId) ? [`request ${requestId}`] : []),
  ];
  return parts.length === 0 ? '(without a code)' : `(${parts.join(', ')})`;
}

function isIdentifier(text: string | null | undefined): boolean {
  return text !== null && text !== undefined && /^[a-z][a-z0-9_-]{0,63}$/i.test(text) && !text.startsWith('sk-');
}
