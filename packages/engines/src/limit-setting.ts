import { modelApiSettings } from '@bunri/runtime';
import { z } from 'zod';

const aMinute = z.int().positive().optional();

/** By model: what may be asked of it in a minute. What is left out is limited by what the API tells alone. */
export const limitsSchema = z.record(
  z.string().min(1),
  z.strictObject({ requestsPerMinute: aMinute, tokensPerMinute: aMinute }),
);

/** `MODEL_LIMITS` as a table; empty where it is not set. */
export const limitSetting = modelApiSettings.MODEL_LIMITS.transform((text, context) => {
  try {
    return JSON.parse(text ?? '{}') as unknown;
  } catch {
    context.addIssue('must be JSON');
    return z.NEVER;
  }
})
  .pipe(limitsSchema)
  .meta(modelApiSettings.MODEL_LIMITS.meta() ?? {});
