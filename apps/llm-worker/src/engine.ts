import type { z } from 'zod';
import { createModelLinks, type ModelLinks, type ModelLinksOptions } from '@bunri/engines';
import { stages } from '@bunri/queue-contracts';
import type { configSchema } from './config.ts';
import type { GuidanceAnswer } from './guidance.ts';
import { guidanceCall, type GuidanceTask, type PromptVersion } from './prompt.ts';

type Settings = ModelLinksOptions<never, never>['settings'] &
  Pick<z.infer<typeof configSchema>, 'LLM_MODEL' | 'LLM_FALLBACKS'>;

/** Ahead of the stage's own limit, so that a failed request says whose time-out it was. */
const timeoutMs = stages.llm.timeoutMs - 2_000;

/** The models that write guidance, as the settings name them; without a version, by the prompt in use. */
export function createGuidanceModels(
  settings: Settings,
  shared: Pick<ModelLinksOptions<never, never>, 'redis' | 'metrics' | 'log'>,
  promptVersion?: PromptVersion,
): ModelLinks<GuidanceTask, GuidanceAnswer> {
  const { LLM_MODEL: model, LLM_FALLBACKS: fallbacks } = settings;
  const buildCall = (task: GuidanceTask) => guidanceCall(task, promptVersion);
  return createModelLinks({ ...shared, settings, model, fallbacks, timeoutMs, buildCall });
}
