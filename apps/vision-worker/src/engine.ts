import type { z } from 'zod';
import { createOpenAiClient, openAiEngine, type InferenceEngine } from '@bunri/engines';
import { stages } from '@bunri/queue-contracts';
import type { VisionAnswer } from './classify.ts';
import type { configSchema } from './config.ts';
import { visionCall, type VisionTask } from './prompt.ts';

type Settings = Pick<
  z.infer<typeof configSchema>,
  'OPENAI_API_KEY' | 'OPENAI_BASE_URL' | 'VISION_MODEL' | 'VISION_REASONING_EFFORT'
>;

/** Ahead of the stage's own limit, so that a failed request says whose time-out it was. */
const timeoutMs = stages.vision.timeoutMs - 2_000;

/** The model that looks at photos, behind the settings' API. Its `load` and `unload` have nothing to do. */
export function createVisionEngine(settings: Settings): InferenceEngine<VisionTask, VisionAnswer> {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, VISION_REASONING_EFFORT: effort } = settings;
  return openAiEngine({
    client: createOpenAiClient({ apiKey, baseUrl, timeoutMs }),
    model: settings.VISION_MODEL,
    buildCall: (task: VisionTask) => visionCall(task, effort),
  });
}
