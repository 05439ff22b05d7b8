import * as z from 'zod';
import {
  fallbackSettings,
  modelApiSettings,
  modelSettings,
  optionalModelKey,
  processSettings,
  spendingSettings,
  workerSettings,
} from '@bunri/runtime';
import { checkFallbacks, hasModelKey, limitSetting, missingModelKey, priceSetting } from '@bunri/engines';

export const configSchema = z
  .object({
    ...processSettings,
    ...workerSettings,
    ...modelApiSettings,
    OPENAI_API_KEY: optionalModelKey,
    ...spendingSettings,
    MODEL_PRICES: priceSetting,
    MODEL_LIMITS: limitSetting,
    ...modelSettings,
    LLM_FALLBACKS: fallbackSettings.LLM_FALLBACKS,
  })
  .refine(hasModelKey('LLM_MODEL', 'LLM_FALLBACKS'), missingModelKey)
  .superRefine(checkFallbacks('LLM_FALLBACKS', 'LLM_MODEL'));
