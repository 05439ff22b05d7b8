import type { z } from 'zod';
import { createModelLinks, type ChainLink, type ModelLinks, type ModelLinksOptions } from '@bunri/engines';
import { stages } from '@bunri/queue-contracts';
import type { VisionAnswer } from './classify.ts';
import type { configSchema } from './config.ts';
import { visionCall, type VisionTask } from './prompt.ts';

type Settings = ModelLinksOptions<never, never>['settings'] &
  Pick<z.infer<typeof configSchema>, 'VISION_MODEL' | 'VISION_REASONING_EFFORT' | 'VISION_FALLBACKS'>;

/** Ahead of the stage's own limit, so that a failed request says whose time-out it was. */
const timeoutMs = stages.vision.timeoutMs - 2_000;

/** The models that look at photos, as the settings name them. The effort is for the first choice alone: others may refuse it. */
export function createVisionModels(
  settings: Settings,
  shared: Pick<ModelLinksOptions<never, never>, 'redis' | 'metrics' | 'log'>,
  local?: ChainLink<VisionTask, VisionAnswer>,
): ModelLinks<VisionTask, VisionAnswer> {
  const { VISION_REASONING_EFFORT: effort } = settings;
  return createModelLinks({
    ...shared,
    settings,
    model: settings.VISION_MODEL,
    fallbacks: settings.VISION_FALLBACKS,
    timeoutMs,
    manner: effort,
    local,
    buildCall: (task: VisionTask, isFirst) => visionCall(task, isFirst ? effort : undefined),
  });
}
