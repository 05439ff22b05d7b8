/** Runs the work when it is its turn. */
export type Turnstile = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * Lets `limit` works run at once; the others wait in line, first come, first served, but not longer than `patienceMs`: then
 * they are not run, and `tooLong` tells what is thrown.
 */
export function createTurnstile(options: { limit: number; patienceMs: number; tooLong: () => Error }): Turnstile {
  const { limit, patienceMs, tooLong } = options;
  const line: (() => void)[] = [];
  let inside = 0;

  async function enter(): Promise<void> {
    if (inside < limit) {
      inside += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    line.push(resolve);
    const timer = setTimeout(() => {
      const place = line.indexOf(resolve);
      // Called already, and about to run.
      if (place < 0) return;
      line.splice(place, 1);
      reject(tooLong());
    }, patienceMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whoever is next takes the place. */
  function leave(): void {
    const next = line.shift();
    if (next) next();
    else inside -= 1;
  }

  return async (work) => {
    await enter();
    try {
      return await work();
    } finally {
      leave();
    }
  };
}
