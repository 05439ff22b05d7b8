import type { InferenceEngine } from './engine.ts';
import { localName } from './fallback-setting.ts';
import type { ChainLink } from './model-chain.ts';

/**
 * An engine of this machine as a part of a chain. It costs nothing, so that neither prices nor caps apply, and nobody limits
 * it; and no breaker stands before it, since a process that does not live is no news of the next worker's.
 *
 * @param identity tells its answers from those of its other versions.
 */
export function localLink<Task, Value>(engine: InferenceEngine<Task, Value>, identity: string): ChainLink<Task, Value> {
  return {
    engine,
    name: `${localName}:${engine.model}`,
    identity: JSON.stringify([localName, identity]),
    isFree: true,
    expect: () => ({ input: 0, cachedInput: 0, output: 0, mostOutput: 0 }),
    breaker: {
      wasClosed: true,
      admit: async () =>
        await Promise.resolve({ admitted: true, call: { succeeded: async () => {}, failed: async () => {} } }),
    },
    budget: {
      admit: async () => await Promise.resolve({ settle: async () => {}, giveBack: async () => {} }),
      pause: async () => {},
    },
  };
}
