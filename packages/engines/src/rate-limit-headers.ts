import type { ToldLimits } from '@bunri/runtime';

/**
 * What a model API tells of its limits (`x-ratelimit-*`, see "Rate limits in headers" in OpenAI's guide); undefined when
 * it tells nothing. What cannot be read counts as not told: Azure sends -1 where it does not know.
 */
export function toldLimits(headers: Headers | undefined): ToldLimits | undefined {
  if (headers === undefined) return undefined;
  const count = (name: string) => readCount(headers.get(`x-ratelimit-${name}`));
  const reset = (name: string) => readDurationMs(headers.get(`x-ratelimit-reset-${name}`) ?? '');
  const all = {
    limitRequests: count('limit-requests'),
    remainingRequests: count('remaining-requests'),
    resetRequestsMs: reset('requests'),
    limitTokens: count('limit-tokens'),
    remainingTokens: count('remaining-tokens'),
    resetTokensMs: reset('tokens'),
  };
  const told = Object.entries(all).filter(([, value]) => value !== undefined);
  return told.length === 0 ? undefined : (Object.fromEntries(told) as ToldLimits);
}

const wholeNumber = /^\d{1,15}$/;

function readCount(text: string | null): number | undefined {
  return text !== null && wholeNumber.test(text) ? Number(text) : undefined;
}

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1, us: 1e-3, µs: 1e-3, ns: 1e-6 } as const;
const number = /^\d+(\.\d+)?$/;
const duration = /^(\d+(\.\d+)?(d|h|ms|m|s|us|µs|ns))+$/;
const part = /[\d.]+\D+/g;
const longestMs = 31 * unitMs.d;

/**
 * A duration as Go writes it, such as `1h2m3.5s`, `6m0s` or `2ms`, in milliseconds; a number without a unit is seconds.
 * Undefined for anything else, and for more than a month, which is a point in time and no duration.
 */
export function readDurationMs(text: string): number | undefined {
  const seconds = number.test(text);
  if (!seconds && !duration.test(text)) return undefined;
  const parts = (seconds ? `${text}s` : text).match(part) ?? [];
  const ms = parts.reduce((sum, each) => sum + Number.parseFloat(each) * unitOf(each), 0);
  return ms <= longestMs ? ms : undefined;
}

const digits = /^[\d.]+/;

function unitOf(part: string): number {
  return unitMs[part.replace(digits, '') as keyof typeof unitMs];
}

const toldWith = new WeakMap<object, ToldLimits>();

/** Notes what the API told of its limits with the answer that failed as `error`. */
export function noteTold(error: unknown, told: ToldLimits | undefined): void {
  if (error instanceof Error && told !== undefined) toldWith.set(error, told);
}

/** What the API told of its limits before the call failed; undefined where it told nothing, or did not answer. */
export function toldBefore(error: unknown): ToldLimits | undefined {
  return error instanceof Error ? toldWith.get(error) : undefined;
}
