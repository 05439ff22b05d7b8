import * as z from 'zod';
import { minTokenBudget } from '@bunri/knowledge';
import { processSettings, workerSettings } from '@bunri/runtime';

export const configSchema = z.object({
  ...processSettings,
  ...workerSettings,
  CONTEXT_TOKEN_BUDGET: z.coerce
    .number()
    .int()
    .min(minTokenBudget)
    .default(800)
    .meta({ description: 'estimated tokens of rules that an answer may be made from' }),
});
