/** Runs the work when it is its turn. An abort takes it out of the line, and is thrown; work that has begun is not stopped. */
export type Turnstile = <Result>(work: () => Promise<Result>, signal?: AbortSignal) => Promise<Result>;

/**
 * Lets `limit` works run at once; the others wait in line, first come, first served, but not longer than `patienceMs`: then
 * they are not run, and `tooLong` tells what is thrown.
 */
export function createTurnstile(options: { limit: number; patienceMs: number; tooLong: () => Error }): Turnstile {
  const { limit, patienceMs, tooLong } = options;
  const line: (() => void)[] = [];
  let inside = 0;

  async function enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (inside < limit) {
      inside += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    line.push(resolve);
    const giveUp = (toReason: () => unknown) => {
      const place = line.indexOf(resolve);
      // Called already, and about to run.
      if (place < 0) return;
      line.splice(place, 1);
      reject(toReason());
    };
    const timer = setTimeout(() => giveUp(tooLong), patienceMs);
    const leaveLine = () => giveUp(() => signal?.reason as unknown);
    signal?.addEventListener('abort', leaveLine, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leaveLine);
    }
  }

  /** Whoever is next takes the place. */
  function leave(): void {
    const next = line.shift();
    if (next) next();
    else inside -= 1;
  }

  return async (work, signal) => {
    await enter(signal);
    try {
      return await work();
    } finally {
      leave();
    }
  };
}
