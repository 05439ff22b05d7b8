/** What an engine failed at, so that there is nothing to report. */
export class EngineFailedError extends Error {
  override readonly name = 'EngineFailedError';

  constructor(at: string, cause: unknown) {
    super(`${at}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export interface ParallelOptions {
  /** At once. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/**
 * Does the work for each item, in the order of the items; the first failure ends what is under way and what is left, so that
 * nothing is paid for that nobody will see.
 *
 * @throws EngineFailedError naming the item.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
  nameOf: (item: Item) => string,
  { concurrency, signal }: ParallelOptions,
): Promise<Result[]> {
  const results: Result[] = [];
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const left = items.entries();
  const take = async () => {
    // One iterator for all: each takes the next item that nobody has taken.
    for (const [index, item] of left) {
      if (failed.signal.aborted) return;
      try {
        results[index] = await work(item, either);
      } catch (error) {
        failed.abort();
        throw new EngineFailedError(nameOf(item), error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, take));
  return results;
}
