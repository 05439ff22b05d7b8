import { setTimeout as delay } from 'node:timers/promises';
import { callMetered, createOpenAiClient, openAiEngine, type Prices } from '@bunri/engines';
import { guidanceCall, type GuidanceTask, type PromptVersion } from '@bunri/llm-worker/prompt';
import { createNormaliser } from '@bunri/preprocess-worker/normalise';
import { openLocalVision } from '@bunri/local-vision';
import { nothingUsed, stages } from '@bunri/queue-contracts';
import { createLogger, createMetrics } from '@bunri/runtime';
import { classify } from '@bunri/vision-worker/classify';
import { visionCall, type VisionTask } from '@bunri/vision-worker/prompt';
import { rankItems } from '@bunri/vision-worker/rank-items';
import { modelEngine, type AnswerEngine } from './answer-engine.ts';
import type { PhotoEngine } from './photo-cases.ts';

export interface ModelApi {
  readonly apiKey: string;
  readonly baseUrl?: string | undefined;
  readonly prices: Prices;
}

const decodeMemoryBytes = 256 * 1024 * 1024;

/** A model behind an API as the writer of guidance, with one version of the prompt. */
export function answerModel(api: ModelApi, model: string, version: PromptVersion): AnswerEngine {
  const client = createOpenAiClient({ ...api, timeoutMs: stages.llm.timeoutMs });
  return modelEngine({
    name: `${model}, prompt ${version}`,
    engine: openAiEngine({ client, model, buildCall: (task: GuidanceTask) => guidanceCall(task, version) }),
    version,
    prices: api.prices,
    metrics: createMetrics({ app: 'evaluation', processMetrics: false }),
    sleep: async (ms, signal) => await delay(ms, undefined, { signal }),
  });
}

/** A model behind an API that looks at photos, prepared as the pipeline prepares them. */
export function photoModel(api: ModelApi, model: string): PhotoEngine {
  const client = createOpenAiClient({ ...api, timeoutMs: stages.vision.timeoutMs });
  const engine = openAiEngine({ client, model, buildCall: (task: VisionTask) => visionCall(task) });
  const metrics = createMetrics({ app: 'evaluation', processMetrics: false });
  const normalise = createNormaliser({ decodeMemoryBytes });
  return {
    look: async (photo, { question, locale }, signal) => {
      const { bytes } = await normalise(photo, signal);
      const task = { image: bytes, question, locale };
      const said = await callMetered({ engine, prices: api.prices, metrics }, task, { signal });
      return { classification: classify(said.value, locale, said.engine), usage: said.usage };
    },
  };
}

/** The model that ships with bunri, prepared and ranked as in the pipeline. Its process lives until `close`. */
export function localPhotoModel(): PhotoEngine & { readonly close: () => Promise<void> } {
  // What goes wrong is thrown, and standard output is for the report.
  const log = createLogger({ app: 'evaluation', level: 'error', silent: true });
  const { engine } = openLocalVision({ metrics: createMetrics({ app: 'evaluation', processMetrics: false }), log });
  const normalise = createNormaliser({ decodeMemoryBytes });
  return {
    look: async (photo, { question, locale }, signal) => {
      const { bytes } = await normalise(photo, signal);
      const [said] = await engine.predict([bytes], { signal });
      const [best] = said?.value.materials ?? [];
      if (!said || !best) throw new Error('the local model said nothing of a photo');
      return {
        classification: classify(rankItems(said.value, question, locale), locale, said.engine),
        usage: nothingUsed,
        material: best.material,
      };
    },
    close: async () => await engine.unload(),
  };
}
