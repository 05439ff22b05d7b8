/** Carries out all, the last first, whatever becomes of each. @throws the first error, once all are done. */
export async function stopAll(stops: readonly (() => unknown)[]): Promise<void> {
  const results: PromiseSettledResult<unknown>[] = [];
  for (const stop of stops.toReversed()) {
    results.push(...(await Promise.allSettled([(async () => await stop())()])));
  }
  throwFirst(results);
}

/** Waits for all, whatever becomes of each. @throws the first error, once all are done. */
export async function allStopped(stopping: readonly Promise<unknown>[]): Promise<void> {
  throwFirst(await Promise.allSettled(stopping));
}

function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  const first = results.find(({ status }) => status === 'rejected');
  if (first?.status === 'rejected') throw first.reason;
}
