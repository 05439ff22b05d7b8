/** What a model's provider admits, as the hash of its budget tells. */
export interface ModelRate {
  /** Until the next call is admitted, in ms: a pause, and what was taken in advance. */
  readonly waitMs: number;
  /** Calls a minute from then on; undefined where no limit is known, or not yet how large a call is. */
  readonly requestsPerMinute: number | undefined;
}

/** The fields of a model's budget that `readModelRate` reads, in its order. */
export const modelRateFields = [
  'at',
  'pausedUntil',
  'requests',
  'requestsLimit',
  'tokens',
  'tokensLimit',
  'tokensMean',
] as const;

/**
 * From the fields of a budget, null for what it does not have. What an idle model saves up, five seconds of its limit, is
 * not counted on. Pure. `now` in epoch ms of Redis's clock, by which budgets live.
 */
export function readModelRate(fields: readonly (string | null)[], now: number): ModelRate {
  const [at, pausedUntil = 0, requests, requestsLimit, tokens, tokensLimit, tokensMean] = fields.map((field) =>
    field === null ? undefined : Number(field),
  );
  const pauseMs = Math.max(0, pausedUntil - now);
  const risenMs = Math.max(0, now - Math.max(at ?? now, pausedUntil));
  const debtMs = (level: number | undefined, limit: number | undefined) =>
    level === undefined || limit === undefined ? 0 : Math.max(0, (-level * 60_000) / limit - risenMs);
  const rates = [
    requestsLimit,
    tokensLimit !== undefined && tokensMean !== undefined && tokensMean > 0 ? tokensLimit / tokensMean : undefined,
  ].filter((rate) => rate !== undefined);
  return {
    waitMs: pauseMs + Math.max(debtMs(requests, requestsLimit), debtMs(tokens, tokensLimit)),
    requestsPerMinute: rates.length > 0 ? Math.min(...rates) : undefined,
  };
}
