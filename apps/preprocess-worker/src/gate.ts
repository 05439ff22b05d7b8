export interface Gate {
  /**
   * Runs the work once this much of the budget is free, first come, first served. `share` must fit the budget.
   * Rejects with the signal's reason when it aborts while the work waits; work that has begun is not interrupted.
   */
  run<T>(share: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

interface Waiting {
  readonly share: number;
  readonly enter: () => void;
}

/** Keeps what the work that runs at once takes within a budget, be it bytes or turns. */
export function createGate(budget: number): Gate {
  let free = budget;
  const waiting: Waiting[] = [];

  function admit(): void {
    for (let first = waiting[0]; first && first.share <= free; first = waiting[0]) {
      waiting.shift();
      free -= first.share;
      first.enter();
    }
  }

  async function entered(share: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(signal.reason as Error);
        admit();
      };
      const enter = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const entry: Waiting = { share, enter };
      waiting.push(entry);
      signal.addEventListener('abort', onAbort, { once: true });
      admit();
    });
  }

  return {
    async run(share, signal, work) {
      if (share > budget) throw new RangeError(`${share} never fits a budget of ${budget}`);
      await entered(share, signal);
      try {
        return await work();
      } finally {
        free += share;
        admit();
      }
    },
  };
}
