import { TransientError, type Logger, type Metrics } from '@bunri/runtime';
import { createBell } from './bell.ts';
import type { InferenceEngine } from './engine.ts';
import { bringIn, idleModels, whyUnloaded, type HeldModel, type WhyUnloaded } from './model-room.ts';
import { orAbort } from './or-abort.ts';

export interface LocalModelsOptions {
  /** What all loaded models together may hold. */
  readonly budgetBytes: number;
  /** How long a model stays loaded that nobody uses; `unloadIdle` goes by it. */
  readonly idleMs: number;
  /** How long a call waits for room while all models are busy. Default 5 s. */
  readonly roomWaitMs?: number;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly now?: () => number;
}

/** The local models of a process, by name, within one memory budget. Models that are used stay loaded. */
export interface LocalModels<Task, Value> {
  /** @param expectedBytes what the model is thought to hold; what it says once it is loaded counts from then on. */
  register(engine: InferenceEngine<Task, Value>, expectedBytes: number): void;
  /**
   * The engine of a model. Its `load` and `predict` load the model first where it is not, and unload for it those that were
   * used least recently and have nothing to do. Beside the engine's own errors they throw PermanentError
   * `engine_too_large` for a model that does not fit the budget even alone, and TransientError `engine_out_of_memory` where
   * busy models leave no room.
   *
   * @throws Error for a name that is not registered.
   */
  use(name: string): InferenceEngine<Task, Value>;
  /** Unloads what nobody has used for a while. @returns the names. */
  unloadIdle(): Promise<string[]>;
  /** Takes nothing new, waits for what is in flight, and unloads all. */
  close(): Promise<void>;
}

export function createLocalModels<Task, Value>(options: LocalModelsOptions): LocalModels<Task, Value> {
  const { budgetBytes, idleMs, roomWaitMs = 5_000, metrics, now = Date.now } = options;
  const models = new Map<string, HeldModel<Task, Value>>();
  const changed = createBell();
  const unload = async (model: HeldModel<Task, Value>, why: WhyUnloaded) => {
    model.ready = undefined;
    model.state = 'unloading';
    model.gone = letGo(model, why, options).then(() => changed.ring());
    await model.gone;
  };
  const room = { budgetBytes, roomWaitMs, changed, models: () => models.values(), unload };
  let closing = false;

  /** Runs the work while the model is loaded and stays so. */
  async function holding<T>(model: HeldModel<Task, Value>, signal: AbortSignal | undefined, work: () => Promise<T>) {
    if (closing) throw new TransientError('model_unavailable', 'This worker stops; try again later.');
    model.holders += 1;
    try {
      const ready = (model.ready ??= bringIn(model, room));
      ready.then(changed.ring, () => {
        if (model.ready === ready) model.ready = undefined;
        changed.ring();
      });
      await (signal ? orAbort(ready, signal) : ready);
      return await work();
    } finally {
      model.holders -= 1;
      model.usedAt = now();
      changed.ring();
    }
  }

  async function unloadWhenFree(model: HeldModel<Task, Value>): Promise<void> {
    // A load may go on that all its callers have abandoned.
    while (model.holders > 0 || (model.ready && model.state !== 'loaded')) await changed.heard();
    if (model.state === 'loaded') await unload(model, 'asked');
    await model.gone;
  }

  return {
    register(engine, bytes) {
      const nothing = { ready: undefined, gone: undefined };
      models.set(engine.model, { engine, state: 'out', bytes, holders: 0, usedAt: now(), ...nothing });
      metrics.localModelBytes.set(engine.model, () => engine.memoryBytes());
      // Its first unload is a rise only of what is there before it.
      for (const why of whyUnloaded) metrics.localUnloads.inc({ model: engine.model, why }, 0);
    },
    use(name) {
      const model = models.get(name);
      if (!model) throw new Error(`no local model is called ${name}`);
      const { engine } = model;
      return {
        model: engine.model,
        load: async () => await holding(model, undefined, async () => await engine.load()),
        predict: async (batch, given) =>
          await holding(model, given.signal, async () => await engine.predict(batch, given)),
        unload: async () => await unloadWhenFree(model),
        memoryBytes: () => engine.memoryBytes(),
      };
    },
    async unloadIdle() {
      const stale = idleModels(models.values()).filter(({ usedAt }) => now() - usedAt >= idleMs);
      await Promise.all(stale.map(async (model) => await unload(model, 'idle')));
      return stale.map(({ engine }) => engine.model);
    },
    async close() {
      closing = true;
      await Promise.all([...models.values()].map(unloadWhenFree));
    },
  };
}

/** It never rejects: what an engine leaves behind must not keep the others from their room. */
async function letGo<Task, Value>(
  model: HeldModel<Task, Value>,
  why: WhyUnloaded,
  { metrics, log }: Pick<LocalModelsOptions, 'metrics' | 'log'>,
): Promise<void> {
  const { engine, bytes } = model;
  try {
    await engine.unload();
  } catch (error) {
    log.error('a local model did not end well', { model: engine.model, error });
  }
  model.state = 'out';
  metrics.localUnloads.inc({ model: engine.model, why });
  log.info('a local model was unloaded', { model: engine.model, why, bytes });
}
