const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** The waits between attempts that the Standard Webhooks specification recommends: ten attempts in three days. */
export const retryWaitsMs: readonly number[] = [
  5 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  14 * hourMs,
  20 * hourMs,
  24 * hourMs,
];
/** Longer waits than this that a receiver asks for are cut. */
const longestRetryAfterMs = 24 * hourMs;
/** A wait is up to a fifth longer, so that what failed together does not come back together. */
const jitterShare = 0.2;

/**
 * How long to wait before the next attempt, in ms.
 * @param attempt the one that failed, from 1
 * @param retryAfterMs what the receiver asked for; the later time counts
 * @param random from 0 to 1
 */
export function waitAfter(
  attempt: number,
  { waitsMs = retryWaitsMs, retryAfterMs = 0, random }: RetryTerms & { random: number },
): number {
  const scheduled = waitsMs[Math.min(attempt, waitsMs.length) - 1] ?? 0;
  const asked = Math.min(retryAfterMs, longestRetryAfterMs);
  return Math.round(Math.max(scheduled, asked) * (1 + random * jitterShare));
}

interface RetryTerms {
  readonly waitsMs?: readonly number[] | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** A `Retry-After` header (RFC 9110, 10.2.3) in ms: seconds or a date; 0 for what is neither. @param now epoch ms */
export function parseRetryAfter(header: string | undefined, now: number): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header)) return Number(header) * secondMs;
  // What Date.parse makes of anything else is anybody's guess.
  const at = /^[A-Z][a-z]{2}, .+ GMT$/.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}
