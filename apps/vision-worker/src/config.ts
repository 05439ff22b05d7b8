import * as z from 'zod';
import {
  fallbackSettings,
  localModelSettings,
  modelApiSettings,
  modelSettings,
  optionalModelKey,
  processSettings,
  spendingSettings,
  storageSettings,
  workerSettings,
} from '@bunri/runtime';
import { checkFallbacks, hasModelKey, limitSetting, missingModelKey, priceSetting } from '@bunri/engines';

export const configSchema = z
  .object({
    ...processSettings,
    ...storageSettings,
    ...workerSettings,
    ...modelApiSettings,
    OPENAI_API_KEY: optionalModelKey,
    ...localModelSettings,
    ...spendingSettings,
    MODEL_PRICES: priceSetting,
    MODEL_LIMITS: limitSetting,
    VISION_MODEL: modelSettings.VISION_MODEL,
    VISION_REASONING_EFFORT: modelSettings.VISION_REASONING_EFFORT,
    VISION_FALLBACKS: fallbackSettings.VISION_FALLBACKS,
  })
  .refine(hasModelKey('VISION_MODEL', 'VISION_FALLBACKS'), missingModelKey)
  .superRefine(checkFallbacks('VISION_FALLBACKS', 'VISION_MODEL'));

export type ReasoningEffort = NonNullable<z.infer<typeof configSchema>['VISION_REASONING_EFFORT']>;
