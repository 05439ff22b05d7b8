export interface MemoryGate {
  /**
   * Runs the work once `bytes` of the budget are free, first come, first served. `bytes` must fit the budget.
   * Rejects with the signal's reason when it aborts while the work waits; work that has begun is not interrupted.
   */
  run<T>(bytes: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/** Keeps the memory of work that runs at once within a budget: many small pictures together, a huge one alone. */
export function createMemoryGate(budgetBytes: number): MemoryGate {
  let freeBytes = budgetBytes;
  const waiting: Waiting[] = [];

  function admit(): void {
    for (let first = waiting[0]; first && first.bytes <= freeBytes; first = waiting[0]) {
      waiting.shift();
      freeBytes -= first.bytes;
      first.enter();
    }
  }

  async function entered(bytes: number, signal: AbortSignal): Promise<void> {
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
      const entry: Waiting = { bytes, enter };
      waiting.push(entry);
      signal.addEventListener('abort', onAbort, { once: true });
      admit();
    });
  }

  return {
    async run(bytes, signal, work) {
      if (bytes > budgetBytes) throw new RangeError(`${bytes} bytes never fit a budget of ${budgetBytes}`);
      await entered(bytes, signal);
      try {
        return await work();
      } finally {
        freeBytes += bytes;
        admit();
      }
    },
  };
}
