import * as z from 'zod';
import { priceSetting } from '@bunri/engines';
import { modelApiSettings, modelSettings } from '@bunri/runtime';

/** What an evaluation on a model reads of the environment; the rules alone need none of it. */
export const configSchema = z.object({
  OPENAI_API_KEY: modelApiSettings.OPENAI_API_KEY,
  OPENAI_BASE_URL: modelApiSettings.OPENAI_BASE_URL,
  MODEL_PRICES: priceSetting,
  VISION_MODEL: modelSettings.VISION_MODEL,
  LLM_MODEL: modelSettings.LLM_MODEL,
});
