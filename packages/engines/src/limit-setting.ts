import { modelApiSettings } from '@bunri/runtime';
import * as z from 'zod';

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

/**
 * Which of the models that are called have no limit although others that are not called here do, as after a slip of the
 * pen; undefined where nothing looks wrong.
 */
export function limitsMissed(
  limits: Readonly<Record<string, unknown>>,
  called: readonly string[],
): { readonly without_limit: string[]; readonly limits_of_others: string[] } | undefined {
  const without = called.filter((model) => !Object.hasOwn(limits, model));
  const others = Object.keys(limits).filter((model) => !called.includes(model));
  return without.length > 0 && others.length > 0 ? { without_limit: without, limits_of_others: others } : undefined;
}
