import type { InferenceEngine } from '@bunri/engines';

/** Photos that the model's process takes in one batch, at most. */
export const photosABatch = 4;

/**
 * How many processes of the local model run beside each other: what the memory holds of them, one a core, as the networks
 * run on one core each. At least one, which says itself that it has no room.
 */
export function localProcesses(of: { budgetBytes: number; modelBytes: number; cores: number }): number {
  return Math.max(1, Math.min(Math.floor(of.budgetBytes / of.modelBytes), of.cores));
}

/** How many jobs a worker of the local model takes at once: a batch for each process, which waits while one is looked at. */
export function localConcurrency(processes: number): number {
  return processes * photosABatch;
}

/** Several engines of the same model as one: what comes goes to the one with the least to do, of equals to the first. */
export function leastBusy<Task, Value>(
  engines: readonly [InferenceEngine<Task, Value>, ...InferenceEngine<Task, Value>[]],
): InferenceEngine<Task, Value> {
  const inFlight = new Map(engines.map((engine) => [engine, 0]));
  const busy = (engine: (typeof engines)[number]) => inFlight.get(engine) ?? 0;
  const [first] = engines;
  return {
    model: first.model,
    load: async () => await first.load(),
    unload: async () => void (await Promise.all(engines.map(async (engine) => await engine.unload()))),
    memoryBytes: () => engines.reduce((sum, engine) => sum + engine.memoryBytes(), 0),
    async predict(batch, options) {
      const chosen = engines.reduce((least, engine) => (busy(engine) < busy(least) ? engine : least), first);
      inFlight.set(chosen, busy(chosen) + batch.length);
      try {
        return await chosen.predict(batch, options);
      } finally {
        inFlight.set(chosen, busy(chosen) - batch.length);
      }
    },
  };
}
