import * as z from 'zod';
import {
  fallbackSettings,
  modelApiSettings,
  modelSettings,
  processSettings,
  spendingSettings,
  workerSettings,
} from '@bunri/runtime';
import { checkFallbacks, limitSetting, priceSetting } from '@bunri/engines';

export const configSchema = z
  .object({
    ...processSettings,
    ...workerSettings,
    ...modelApiSettings,
    ...spendingSettings,
    MODEL_PRICES: priceSetting,
    MODEL_LIMITS: limitSetting,
    ...modelSettings,
    LLM_FALLBACKS: fallbackSettings.LLM_FALLBACKS,
  })
  .superRefine(checkFallbacks('LLM_FALLBACKS', 'LLM_MODEL'));
