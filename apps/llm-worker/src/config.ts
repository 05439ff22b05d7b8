import { z } from 'zod';
import { modelApiSettings, modelSettings, processSettings, workerSettings } from '@bunri/runtime';
import { priceSetting } from '@bunri/engines';

export const configSchema = z.object({
  ...processSettings,
  ...workerSettings,
  ...modelApiSettings,
  MODEL_PRICES: priceSetting,
  ...modelSettings,
});
