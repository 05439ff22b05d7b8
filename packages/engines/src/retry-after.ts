const bounds = { defaultMs: 1_000, leastMs: 100, mostMs: 120_000 };

/**
 * How long a rate-limited caller shall wait, in milliseconds: from `retry-after-ms`, else from `retry-after` as seconds
 * or as an HTTP date (RFC 9110, 10.2.3), else one second. Never less than 100 ms, lest a broken clock make a hot loop,
 * and never more than two minutes.
 *
 * @param now epoch milliseconds, for dates.
 */
export function retryAfterMs(headers: Headers | undefined, now: number): number {
  const asked = askedMs(headers?.get('retry-after-ms') ?? '', headers?.get('retry-after') ?? '', now);
  return Math.round(Math.min(Math.max(asked ?? bounds.defaultMs, bounds.leastMs), bounds.mostMs));
}

function askedMs(milliseconds: string, secondsOrDate: string, now: number): number | undefined {
  if (isDecimal(milliseconds)) return Number(milliseconds);
  if (isDecimal(secondsOrDate)) return Number(secondsOrDate) * 1_000;
  const date = /^[A-Z][a-z]{2}, /.test(secondsOrDate) ? Date.parse(secondsOrDate) : Number.NaN;
  return Number.isNaN(date) ? undefined : date - now;
}

function isDecimal(text: string): boolean {
  return /^\d+(\.\d+)?$/.test(text);
}
