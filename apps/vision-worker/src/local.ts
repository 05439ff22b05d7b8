import {
  createLocalModels,
  localLink,
  localName,
  readFallbacks,
  watchGpuMemory,
  type ChainLink,
  type InferenceEngine,
} from '@bunri/engines';
import { materialsModel, openLocalVision, type LocalVision, type MaterialEstimate } from '@bunri/local-vision';
import { createKeys, listenForModelCleanup, openRedis, type App } from '@bunri/runtime';
import type { z } from 'zod';
import type { VisionAnswer } from './classify.ts';
import type { configSchema } from './config.ts';
import type { VisionTask } from './prompt.ts';
import { rankItems, rankVersion } from './rank-items.ts';

type Config = z.infer<typeof configSchema>;
type LocalEngine = LocalVision['engine'];

/**
 * The model that ships with bunri, where the settings name it: loaded with the first photo, unloaded when it is idle, ended
 * with the process.
 *
 * @throws Error naming the files of the model that are missing.
 */
export function openLocal(app: App<Config>): ChainLink<VisionTask, VisionAnswer> | undefined {
  const { config, metrics, log, life } = app;
  if (config.VISION_MODEL !== localName && !readFallbacks(config.VISION_FALLBACKS).local) return undefined;
  const { engine, identity, expectedBytes } = openLocalVision({ metrics, log });
  const models = createLocalModels<Uint8Array, MaterialEstimate>({
    budgetBytes: config.LOCAL_MODEL_MEMORY_MIB * 1024 ** 2,
    idleMs: config.LOCAL_MODEL_IDLE_MINUTES * 60_000,
    metrics,
    log,
  });
  models.register(engine, expectedBytes);
  life.onStop('local models', async () => await models.close());
  life.onStop('memory of the GPU', watchGpuMemory({ metrics, log }));
  const unloadIdle = async () => await models.unloadIdle();
  // Not waited for: while Redis is away the process lives, and says so in its probes.
  listenForModelCleanup(openRedis(app, 'subscriber'), createKeys(config.REDIS_PREFIX), unloadIdle, log).catch(
    (error: unknown) => log.error('idle models are not unloaded', { error }),
  );
  return localVisionLink(models.use(materialsModel), identity);
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
        return { ...prediction, value: rankItems(prediction.value, question, locale) };
      });
    },
  };
  return localLink(visionEngine, JSON.stringify([identity, rankVersion]));
}
