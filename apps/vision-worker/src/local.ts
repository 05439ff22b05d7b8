import {
  createLocalModels,
  localLink,
  localName,
  readFallbacks,
  watchGpuMemory,
  type ChainLink,
  type InferenceEngine,
} from '@bunri/engines';
import { createKeys, listenForModelCleanup, openRedis, type App } from '@bunri/runtime';
import type { z } from 'zod';
import type { VisionAnswer } from './classify.ts';
import type { configSchema } from './config.ts';
import { leastBusy, localConcurrency, localProcesses } from './local-processes.ts';
import { answerFrom, openVisionModel, type Estimate } from './own-model.ts';
import type { VisionTask } from './prompt.ts';
import { rankVersion } from './rank-items.ts';

type Config = z.infer<typeof configSchema>;
type LocalEngine = InferenceEngine<Uint8Array, Estimate>;

export interface LocalLook {
  readonly link: ChainLink<VisionTask, VisionAnswer>;
  /** Jobs that a worker which does nothing else takes at once. */
  readonly concurrency: number;
}

/**
 * The model that ships with bunri, or that of LOCAL_MODEL_PATH, where the settings name it: loaded with the first photo,
 * unloaded when it is idle, ended with the process. As many processes of it as LOCAL_MODEL_MEMORY_MIB and the cores allow.
 *
 * @param cores that this process may use
 * @throws Error naming the files of the model that are missing, and what of a model of one's own does not fit.
 */
export function openLocal(app: App<Config>, cores: number): LocalLook | undefined {
  const { config, metrics, log, life } = app;
  if (config.VISION_MODEL !== localName && !readFallbacks(config.VISION_FALLBACKS).local) return undefined;
  const open = () => openVisionModel({ path: config.LOCAL_MODEL_PATH, metrics, log });
  const first = open();
  const { identity, expectedBytes } = first;
  const budgetBytes = config.LOCAL_MODEL_MEMORY_MIB * 1024 ** 2;
  const processes = localProcesses({ budgetBytes, modelBytes: expectedBytes, cores });
  const models = createLocalModels<Uint8Array, Estimate>({
    budgetBytes,
    idleMs: config.LOCAL_MODEL_IDLE_MINUTES * 60_000,
    metrics,
    log,
  });
  const others = Array.from({ length: processes - 1 }, (_, i) => ({
    ...open().engine,
    model: `${first.engine.model}-${i + 2}`,
  }));
  for (const engine of [first.engine, ...others]) models.register(engine, expectedBytes);
  life.onStop('local models', async () => await models.close());
  life.onStop('memory of the GPU', watchGpuMemory({ metrics, log }));
  const unloadIdle = async () => await models.unloadIdle();
  // Not waited for: while Redis is away the process lives, and says so in its probes.
  listenForModelCleanup(openRedis(app, 'subscriber'), createKeys(config.REDIS_PREFIX), unloadIdle, log).catch(
    (error: unknown) => log.error('idle models are not unloaded', { error }),
  );
  const engine = leastBusy([models.use(first.engine.model), ...others.map(({ model }) => models.use(model))]);
  return { link: localVisionLink(engine, identity), concurrency: localConcurrency(processes) };
}

/** The model as a part of the chain: its estimates, and the question's words, make the answer. */
export function localVisionLink(engine: LocalEngine, identity: string): ChainLink<VisionTask, VisionAnswer> {
  const visionEngine: InferenceEngine<VisionTask, VisionAnswer> = {
    model: engine.model,
    load: async () => await engine.load(),
    unload: async () => await engine.unload(),
    memoryBytes: () => engine.memoryBytes(),
    predict: async (batch, { signal }) => {
      const images = batch.map(({ image }) => image);
      const predictions = await engine.predict(images, { signal });
      return batch.map(({ question, locale }, index) => {
        const prediction = predictions[index];
        if (!prediction) throw new Error('the local model gave no estimate for a photo');
        return { ...prediction, value: answerFrom(prediction.value, question, locale) };
      });
    },
  };
  return localLink(visionEngine, JSON.stringify([identity, rankVersion]));
}
