import type { FailureCode } from '@bunri/queue-contracts';

/**
 * What a handler may throw. The stage runner translates once: `PermanentError` fails the request at once,
 * `RateLimitedError` pauses the queue and `DeferredError` hands back one job, both without spending an attempt; everything
 * else is transient and spends one.
 */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';
  readonly code: FailureCode;

  /** @param message what happened and what the client can do; shown to the client. */
  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A failure that another attempt may cure, with the code the request ends with when no attempt is left. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Nobody's call may be made for now: the whole queue waits, in all processes. `retryAfterMs` is what the other side asked
 * for, before any jitter.
 */
export class RateLimitedError extends Error {
  override readonly name = 'RateLimitedError';
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * This request must wait, while others may well be answered: its job alone is handed back, without a slot and an attempt.
 * `waitMs` is before any jitter.
 */
export class DeferredError extends Error {
  override readonly name = 'DeferredError';
  readonly waitMs: number;

  constructor(waitMs: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.waitMs = waitMs;
  }
}

/** Another request is doing the same work; its result will be in the cache. The job waits without a slot and an attempt. */
export class SharedWorkError extends Error {
  override readonly name = 'SharedWorkError';
  readonly waitMs: number;

  constructor(waitMs: number) {
    super('the same work is in flight for another request');
    this.waitMs = waitMs;
  }
}

/** Why a stage's run was aborted; `closed` where its request has ended or is gone. */
export type AbortCause = 'shutdown' | 'canceled' | 'timeout' | 'deadline' | 'closed';

export class StageAbort extends Error {
  override readonly name = 'StageAbort';
  readonly reason: AbortCause;

  constructor(reason: AbortCause) {
    super(`stage aborted: ${reason}`);
    this.reason = reason;
  }
}
