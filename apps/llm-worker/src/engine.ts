import type { z } from 'zod';
import { createOpenAiClient, openAiEngine, type InferenceEngine } from '@bunri/engines';
import { stages } from '@bunri/queue-contracts';
import type { configSchema } from './config.ts';
import type { GuidanceAnswer } from './guidance.ts';
import { guidanceCall, type GuidanceTask } from './prompt.ts';

type Settings = Pick<z.infer<typeof configSchema>, 'OPENAI_API_KEY' | 'OPENAI_BASE_URL' | 'LLM_MODEL'>;

/** Ahead of the stage's own limit, so that a failed request says whose time-out it was. */
const timeoutMs = stages.llm.timeoutMs - 2_000;

/** The model that writes guidance, behind the settings' API. Its `load` and `unload` have nothing to do. */
export function createGuidanceEngine(settings: Settings): InferenceEngine<GuidanceTask, GuidanceAnswer> {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, LLM_MODEL: model } = settings;
  return openAiEngine({ client: createOpenAiClient({ apiKey, baseUrl, timeoutMs }), model, buildCall: guidanceCall });
}
