import type { Fault } from './simulator-faults.ts';

export interface ApiError {
  readonly code: string;
  readonly message: string;
  readonly type?: string;
  readonly param?: string | null;
}

/** What a fault does to a call, in the terms of the parts that carry it out. */
export interface Effect {
  /** Sent instead of an answer. */
  readonly refusal?: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly error: ApiError;
  };
  readonly isSilent: boolean;
  readonly delayMs: number;
  /** What happens half way through the answer: the connection breaks, the answer just ends, or nothing more comes. */
  readonly cut: 'none' | 'break' | 'end' | 'stall';
  readonly speech: 'sound' | 'garbage' | 'other_shape' | 'refusal';
  readonly end:
    | { readonly status: 'completed' }
    | { readonly status: 'incomplete'; readonly reason: string }
    | { readonly status: 'failed' | 'error_event'; readonly code: string };
}

const noEffect: Effect = {
  isSilent: false,
  delayMs: 0,
  cut: 'none',
  speech: 'sound',
  end: { status: 'completed' },
};

export function effectOf(fault: Fault | undefined): Effect {
  if (fault === undefined) return noEffect;
  switch (fault.fault) {
    case 'rate_limit':
    case 'quota':
    case 'server_error':
    case 'bad_request':
    case 'http_error':
      return { ...noEffect, refusal: refusalOf(fault) };
    case 'hang':
      return { ...noEffect, isSilent: true };
    case 'slow':
      return { ...noEffect, delayMs: fault.delayMs };
    case 'stall':
      return { ...noEffect, cut: 'stall' };
    case 'disconnect':
      return { ...noEffect, cut: 'break' };
    case 'truncated_stream':
      return { ...noEffect, cut: 'end' };
    case 'garbage':
      return { ...noEffect, speech: 'garbage' };
    case 'schema_mismatch':
      return { ...noEffect, speech: 'other_shape' };
    case 'refusal':
      return { ...noEffect, speech: 'refusal' };
    case 'incomplete':
      return { ...noEffect, end: { status: 'incomplete', reason: fault.reason } };
    case 'failed':
    case 'error_event':
      return { ...noEffect, end: { status: fault.fault, code: fault.code } };
  }
}

type StatusFault = Extract<
  Fault,
  { readonly fault: 'rate_limit' | 'quota' | 'server_error' | 'bad_request' | 'http_error' }
>;

function refusalOf(fault: StatusFault): NonNullable<Effect['refusal']> {
  const message = 'Simulated error.';
  switch (fault.fault) {
    case 'rate_limit': {
      const headers = {
        ...(fault.retryAfterMs === undefined ? {} : { 'retry-after-ms': String(fault.retryAfterMs) }),
        ...(fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }),
      };
      return { status: 429, headers, error: { code: 'rate_limit_exceeded', type: 'requests', message } };
    }
    case 'quota':
      return { status: 429, headers: {}, error: { code: 'insufficient_quota', type: 'insufficient_quota', message } };
    case 'server_error':
      return {
        status: fault.status ?? 500,
        headers: {},
        error: { code: 'server_error', type: 'server_error', message },
      };
    case 'bad_request':
      return { status: 400, headers: {}, error: { code: 'invalid_value', message } };
    case 'http_error':
      return { status: fault.status, headers: {}, error: { code: fault.code ?? 'simulated', message } };
  }
}
