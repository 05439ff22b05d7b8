import * as z from 'zod';
import { defaultTokenBudget, minTokenBudget } from '@bunri/knowledge';
import { processSettings, workerSettings } from '@bunri/runtime';

export const configSchema = z.object({
  ...processSettings,
  ...workerSettings,
  CONTEXT_TOKEN_BUDGET: z.coerce
    .number()
    .int()
    .min(minTokenBudget)
    .default(defaultTokenBudget)
    .meta({ description: 'tokens (o200k) of rules that an answer may be made from' }),
});
