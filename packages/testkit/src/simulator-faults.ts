/** A call with an image is a `vision` call, any other an `answer` call. */
export type CallKind = 'vision' | 'answer';

/**
 * What goes wrong with a call:
 *
 * - `rate_limit`: 429, with exactly the headers that are given; `quota`: 429 with code `insufficient_quota`;
 * - `server_error`: 500 or 503; `bad_request`: 400; `http_error`: any other status;
 * - `hang`: no byte ever comes; `stall`: half of the answer comes, then nothing; `slow`: comes `delayMs` later;
 * - `disconnect`: the connection breaks in the middle; `truncated_stream`: it ends there as if all had been said;
 * - `garbage`: the model's text is no JSON; `schema_mismatch`: it is JSON of another shape;
 * - `refusal`: the model refuses; `incomplete`: it stops early; `failed`: the response says that it failed;
 * - `error_event`: a stream ends with an `error` event (without a stream: 500).
 */
export type Fault =
  | { readonly fault: 'rate_limit'; readonly retryAfterMs?: number; readonly retryAfter?: string }
  | { readonly fault: 'server_error'; readonly status?: 500 | 503 }
  | { readonly fault: 'http_error'; readonly status: number; readonly code?: string }
  | { readonly fault: 'slow'; readonly delayMs: number }
  | { readonly fault: 'incomplete'; readonly reason: 'max_output_tokens' | 'content_filter' }
  | { readonly fault: 'failed' | 'error_event'; readonly code: string }
  | { readonly fault: 'quota' }
  | { readonly fault: 'bad_request' }
  | {
      readonly fault: 'hang' | 'stall' | 'disconnect' | 'truncated_stream' | 'garbage' | 'schema_mismatch' | 'refusal';
    };

export type FaultRule = Fault & {
  /** Default `any`. */
  readonly kind?: CallKind | 'any';
  /** How many calls it hits before it is spent. Default: all. */
  readonly times?: number;
  /** The share of calls that it hits. Default 1. */
  readonly probability?: number;
};

/** The first rule that fits a call and is not spent decides; a call that no rule hits is answered. */
export type FaultPlan = readonly FaultRule[];

const faultNames: Record<Fault['fault'], true> = {
  rate_limit: true,
  quota: true,
  server_error: true,
  http_error: true,
  bad_request: true,
  hang: true,
  stall: true,
  slow: true,
  disconnect: true,
  truncated_stream: true,
  garbage: true,
  schema_mismatch: true,
  refusal: true,
  incomplete: true,
  failed: true,
  error_event: true,
};

/**
 * Reads a plan that came from outside the process.
 *
 * @throws when it is no list, or names an unknown fault.
 */
export function parseFaultPlan(json: string): FaultPlan {
  const plan: unknown = JSON.parse(json);
  if (!Array.isArray(plan) || !plan.every(isFaultRule)) {
    throw new Error(
      `A fault plan is a JSON list of rules, each with a "fault" of: ${Object.keys(faultNames).join(', ')}`,
    );
  }
  return plan;
}

function isFaultRule(rule: unknown): rule is FaultRule {
  return typeof rule === 'object' && rule !== null && 'fault' in rule && String(rule.fault) in faultNames;
}

/** Decides call by call; the same numbers from `random` give the same decisions. */
export function faultsOf(plan: FaultPlan, random: () => number): (kind: CallKind) => Fault | undefined {
  const left = plan.map(({ times = Infinity }) => times);
  return (kind) => {
    for (const [index, rule] of plan.entries()) {
      const { kind: ruleKind = 'any', probability = 1 } = rule;
      const timesLeft = left[index] ?? 0;
      if (timesLeft <= 0 || (ruleKind !== 'any' && ruleKind !== kind)) continue;
      if (probability < 1 && random() >= probability) continue;
      left[index] = timesLeft - 1;
      return rule;
    }
    return undefined;
  };
}
