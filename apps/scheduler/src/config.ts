import * as z from 'zod';
import { processSettings, storageSettings } from '@bunri/runtime';

export const configSchema = z.object({
  ...processSettings,
  ...storageSettings,
  IMAGE_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(2)
    .default(30)
    .meta({ description: 'days after which uploads and images are deleted; the same as that of preprocess-worker' }),
  FEEDBACK_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .default(365)
    .meta({ description: 'days after which what people wrote about their answers is deleted' }),
});
