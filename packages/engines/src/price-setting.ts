import * as z from 'zod';
import { defaultPrices, pricesSchema } from './prices.ts';
import { modelApiSettings } from '@bunri/runtime';

/** `MODEL_PRICES` as a table: the built-in prices, with the given ones added or put in their place. */
export const priceSetting = modelApiSettings.MODEL_PRICES.transform((text, context) => {
  try {
    return JSON.parse(text ?? '{}') as unknown;
  } catch {
    context.addIssue('must be JSON');
    return z.NEVER;
  }
})
  .pipe(pricesSchema)
  .transform((given) => ({ ...defaultPrices, ...given }))
  .meta(modelApiSettings.MODEL_PRICES.meta() ?? {});
