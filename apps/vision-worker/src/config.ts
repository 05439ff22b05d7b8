import * as z from 'zod';
import { lookStages } from '@bunri/queue-contracts';
import {
  fallbackSettings,
  localModelSettings,
  modelApiSettings,
  modelSettings,
  optionalModelKey,
  processSettings,
  spendingSettings,
  storageSettings,
  visionModelsSetting,
  workerSettings,
} from '@bunri/runtime';
import { checkFallbacks, hasModelKey, limitSetting, localName, missingModelKey, priceSetting } from '@bunri/engines';

export const configSchema = z
  .object({
    ...processSettings,
    ...storageSettings,
    ...workerSettings,
    ...modelApiSettings,
    OPENAI_API_KEY: optionalModelKey,
    ...localModelSettings,
    LOCAL_MODEL_PATH: z.string().min(1).optional().meta({
      description:
        'model of your own in the place of the one that ships: x.onnx with x.json beside it, a folder with a CLIP or SigLIP model, or hub:<org>/<name>',
    }),
    ...spendingSettings,
    MODEL_PRICES: priceSetting,
    MODEL_LIMITS: limitSetting,
    VISION_MODEL: modelSettings.VISION_MODEL,
    VISION_REASONING_EFFORT: modelSettings.VISION_REASONING_EFFORT,
    VISION_FALLBACKS: fallbackSettings.VISION_FALLBACKS,
    VISION_MODELS: visionModelsSetting,
    VISION_QUEUE: z.enum(lookStages).default('vision').meta({
      description:
        'queue that is served: vision, or vision.local for requests that name the local model, with VISION_MODEL=local and nothing else',
    }),
  })
  .refine(hasModelKey('VISION_MODEL', 'VISION_FALLBACKS'), missingModelKey)
  .superRefine(checkFallbacks('VISION_FALLBACKS', 'VISION_MODEL'))
  .superRefine(({ VISION_QUEUE, VISION_MODEL, VISION_FALLBACKS, VISION_MODELS, OPENAI_API_KEY }, context) => {
    const refuse = (setting: string, message: string) => context.addIssue({ code: 'custom', path: [setting], message });
    if (VISION_QUEUE === 'vision.local') {
      if (VISION_MODEL !== localName) refuse('VISION_MODEL', 'must be local where VISION_QUEUE is vision.local');
      if (VISION_FALLBACKS !== 'none') refuse('VISION_FALLBACKS', 'must be none where VISION_QUEUE is vision.local');
    } else if (VISION_MODELS.length > 0 && !OPENAI_API_KEY) {
      refuse('OPENAI_API_KEY', 'is required where VISION_MODELS names models');
    }
  });

export type ReasoningEffort = NonNullable<z.infer<typeof configSchema>['VISION_REASONING_EFFORT']>;
