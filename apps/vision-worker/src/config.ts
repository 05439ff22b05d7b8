import { z } from 'zod';
import { modelApiSettings, modelSettings, processSettings, storageSettings, workerSettings } from '@bunri/runtime';
import { priceSetting } from '@bunri/engines';

export const configSchema = z.object({
  ...processSettings,
  ...storageSettings,
  ...workerSettings,
  ...modelApiSettings,
  MODEL_PRICES: priceSetting,
  VISION_MODEL: modelSettings.VISION_MODEL,
  VISION_REASONING_EFFORT: z.enum(['none', 'minimal', 'low', 'medium', 'high']).optional().meta({
    description: 'how long a reasoning model may think; other models refuse it; without it their own default',
  }),
});

export type ReasoningEffort = NonNullable<z.infer<typeof configSchema>['VISION_REASONING_EFFORT']>;
