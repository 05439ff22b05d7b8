import { ConnectionError, isPassing, readProblem, type ProblemError } from './errors.ts';

/** A try that failed, and when the next one follows. */
export interface Retry {
  readonly error: ProblemError | ConnectionError;
  /** How many tries there were. */
  readonly tries: number;
  readonly delayMs: number;
}

export interface ExchangeOptions {
  /** Origin of the API, or the empty string for the page's own. */
  readonly baseUrl: string;
  /** `<id>.<secret>`; read anew for each call where it is a function. */
  readonly apiKey?: string | (() => string | undefined) | undefined;
  readonly fetch?: typeof fetch;
  /** How long one call is repeated, ms. Default 120,000. */
  readonly patienceMs?: number;
  /** How long one try may take, ms. Default 60,000. */
  readonly tryTimeoutMs?: number;
  /** Epoch ms. */
  readonly now?: () => number;
  /** From 0 to 1, for jitter. */
  readonly random?: () => number;
  readonly delay?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: FormData | Blob | string;
  readonly signal?: AbortSignal | undefined;
  /** Added to the time that one try may take, ms. */
  readonly extraMs?: number;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

export type Exchange = ReturnType<typeof createExchange>;

const firstPauseMs = 500;
const longestPauseMs = 15_000;

/** Calls to one API, each repeated while it may help. Every call that is made here may be made twice without harm. */
export function createExchange(options: ExchangeOptions) {
  const { patienceMs = 120_000, tryTimeoutMs = 60_000, now = Date.now, random = Math.random, delay = pause } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  // A browser's fetch must be called as the window's own.
  const call: typeof fetch = options.fetch ?? (async (...given) => await globalThis.fetch(...given));

  /** A key is for the API alone: an address of its own, as of a bucket, gets only what it is signed for. */
  function headersOf(path: string, ask: Pick<Ask, 'headers'>): Headers {
    if (!isOwn(path)) return new Headers(ask.headers);
    const { apiKey } = options;
    const key = typeof apiKey === 'function' ? apiKey() : apiKey;
    const headers = new Headers({ accept: 'application/json', ...ask.headers });
    if (key !== undefined && key !== '') headers.set('authorization', `Bearer ${key}`);
    return headers;
  }

  /**
   * One try, until its answer is read. Whatever fetch throws is a ConnectionError: a refused connection is not to be told
   * from others. @param limit made of the caller's signal; what it ends has the caller's reason where that was the cause
   * @throws ProblemError, ConnectionError, the reason of an abort by the caller
   */
  async function attempt<Result>(
    path: string,
    { method = 'GET', body, signal, ...rest }: Ask,
    limit: Limit,
    read: (response: Response) => Promise<Result>,
  ): Promise<Result> {
    signal?.throwIfAborted();
    // Outside of the try: a key that no header can hold is the caller's mistake, and no trouble of the connection.
    const headers = headersOf(path, rest);
    try {
      const given = { method, headers, signal: limit.signal, ...(body === undefined ? {} : { body }) };
      const response = await call(isOwn(path) ? `${baseUrl}${path}` : path, given);
      if (!response.ok) throw await readProblem(response, now());
      return await read(response);
    } catch (error) {
      signal?.throwIfAborted();
      throw asTrouble(error);
    }
  }

  /** When to try again after so many tries: what the API asks for, else longer each time; spread, so that not all come at once. */
  function pauseMs(error: ProblemError | ConnectionError, tries: number): number {
    const asked = 'retryAfterMs' in error ? error.retryAfterMs : null;
    if (asked !== null) return asked + random() * Math.min(1_000, asked / 10);
    return Math.min(longestPauseMs, firstPauseMs * 2 ** (tries - 1)) * (0.5 + random() / 2);
  }

  return {
    now,
    attempt,
    pauseMs,
    delay,
    patienceMs,

    /**
     * Repeats a call while the API cannot be reached or says "later" (429, 502, 503, 504), after what Retry-After asks for,
     * for as long as patience lasts. @throws ProblemError, ConnectionError: the last try's; the reason of an abort
     */
    async send<Result>(path: string, ask: Ask, read: (response: Response) => Promise<Result>): Promise<Result> {
      const giveUpAt = now() + patienceMs;
      for (let tries = 1; ; tries += 1) {
        const limit = limitTry(ask.signal, tryTimeoutMs + (ask.extraMs ?? 0));
        try {
          return await attempt(path, ask, limit, read);
        } catch (error) {
          if (!isPassing(error)) throw error;
          const delayMs = pauseMs(error, tries);
          if (now() + delayMs > giveUpAt) throw error;
          ask.onRetry?.({ error, tries, delayMs });
          await delay(delayMs, ask.signal);
        } finally {
          limit.end();
        }
      }
    },
  };
}

/** What ends one try. */
export interface Limit {
  readonly signal: AbortSignal;
  /** Lets it go on for so long from now, ms. */
  extend(ms: number): void;
  /** Ends it, and lets go of the caller's signal, which may live longer. */
  end(): void;
}

/** Ends a try when its time is over or its caller aborts. By hand: browsers of 2023 have no `AbortSignal.any`. */
export function limitTry(caller: AbortSignal | undefined, ms: number): Limit {
  const controller = new AbortController();
  const end = () => {
    clearTimeout(timer);
    caller?.removeEventListener('abort', end);
    controller.abort();
  };
  let timer = setTimeout(end, ms);
  caller?.addEventListener('abort', end, { once: true });
  return {
    signal: controller.signal,
    extend(longerMs) {
      clearTimeout(timer);
      timer = setTimeout(end, longerMs);
    },
    end,
  };
}

function isOwn(path: string): boolean {
  return path.startsWith('/');
}

function asTrouble(error: unknown): unknown {
  if (error instanceof Error && (error.name === 'ProblemError' || error.name === 'ConnectionError')) return error;
  return new ConnectionError('The API could not be reached, or its answer did not come in time.', { cause: error });
}

/** @throws the reason of an abort */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** JSON as the API's schemas have it; what a later version adds is left in. */
export async function readJson<Answer>(response: Response): Promise<Answer> {
  return (await response.json()) as Answer;
}
