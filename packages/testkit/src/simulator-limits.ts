/** What is enforced; what is left out is told in the headers as a generous limit, and never refused for. */
export interface SimulatorLimits {
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** How much of a limit may be used at once, in seconds of it. Default 60: all of the minute. */
  readonly burstSeconds?: number;
}

/** What a model's limits say to one call: the headers of its answer, and why it is refused, if it is. */
export interface Verdict {
  readonly headers: Readonly<Record<string, string>>;
  readonly refusal?: { readonly kind: Kind; readonly message: string };
}

type Kind = 'requests' | 'tokens';

export type RateLimiter = (model: string, tokens: number) => Verdict;

/** As the headers of the real API on a high tier. */
const generous = { requests: 30_000, tokens: 30_000_000 };

interface Bucket {
  readonly kind: Kind;
  /** Of a minute. */
  readonly limit: number;
  readonly isEnforced: boolean;
  readonly full: number;
  level: number;
  at: number;
}

/**
 * Reads limits that came from outside the process; `{}` enforces nothing.
 *
 * @throws when a name is unknown, or a value is no number above zero.
 */
export function parseLimits(json: string): SimulatorLimits {
  const limits: unknown = JSON.parse(json);
  const names = ['requestsPerMinute', 'tokensPerMinute', 'burstSeconds'];
  const isGood = ([name, value]: [string, unknown]) =>
    names.includes(name) && Number.isFinite(value) && Number(value) > 0;
  const isObject = typeof limits === 'object' && limits !== null && !Array.isArray(limits);
  if (!isObject || !Object.entries(limits).every(isGood)) {
    throw new Error(`Limits are a JSON object of numbers above zero: ${names.join(', ')}`);
  }
  return limits;
}

/**
 * Counts calls and tokens a model in buckets that refill evenly, as the real API's headers show it to do. A call is
 * refused when it does not fit, and then takes nothing; one that never fits is refused every time.
 *
 * @param now milliseconds of a clock that only goes forward.
 */
export function rateLimiter(limits: SimulatorLimits, now: () => number): RateLimiter {
  const { requestsPerMinute, tokensPerMinute, burstSeconds = 60 } = limits;
  const models = new Map<string, readonly [requests: Bucket, tokens: Bucket]>();

  function fill(kind: Kind, limit: number | undefined): Bucket {
    const known = limit ?? generous[kind];
    const full = Math.max(1, (known * burstSeconds) / 60);
    return { kind, limit: known, isEnforced: limit !== undefined, full, level: full, at: now() };
  }

  return (model, tokens) => {
    const buckets = models.get(model) ?? [fill('requests', requestsPerMinute), fill('tokens', tokensPerMinute)];
    models.set(model, buckets);
    const sizes = { requests: 1, tokens };
    for (const bucket of buckets) refill(bucket, now());
    const lacking = buckets.find(({ kind, level, isEnforced }) => isEnforced && sizes[kind] > level);
    if (lacking === undefined) {
      for (const bucket of buckets) bucket.level = Math.max(0, bucket.level - sizes[bucket.kind]);
      return { headers: headersOf(buckets) };
    }
    return refusalOf(lacking, sizes[lacking.kind], model, headersOf(buckets));
  };
}

function refill(bucket: Bucket, now: number): void {
  bucket.level = Math.min(bucket.full, bucket.level + ((now - bucket.at) * bucket.limit) / 60_000);
  bucket.at = now;
}

/** Until a bucket that lacks this much has it. */
function waitMs({ limit }: Bucket, lacks: number): number {
  return Math.ceil((lacks * 60_000) / limit);
}

function refusalOf(lacking: Bucket, size: number, model: string, told: Verdict['headers']): Verdict {
  const { kind, limit, level, full } = lacking;
  const askedMs = waitMs(lacking, Math.min(size, full) - level);
  const headers = {
    ...told,
    'retry-after-ms': String(askedMs),
    'retry-after': String(Math.ceil(askedMs / 1000)),
  };
  const message = `Rate limit reached for ${model} on ${kind} per min: Limit ${limit}, Requested ${size}.`;
  return { headers, refusal: { kind, message } };
}

function headersOf(buckets: readonly Bucket[]): Record<string, string> {
  return Object.fromEntries(
    buckets.flatMap((bucket) => [
      [`x-ratelimit-limit-${bucket.kind}`, String(bucket.limit)],
      [`x-ratelimit-remaining-${bucket.kind}`, String(Math.floor(bucket.level))],
      [`x-ratelimit-reset-${bucket.kind}`, goDuration(waitMs(bucket, bucket.full - bucket.level))],
    ]),
  );
}

/** As the real API writes times: `2ms`, `1.5s`, `6m0s`. */
function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const seconds = ms / 1000;
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${Math.round((seconds % 60) * 1000) / 1000}s`;
}
