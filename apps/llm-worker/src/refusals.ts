import * as z from 'zod';
import { usageSchema, type Usage } from '@bunri/queue-contracts';
import { cacheKey, type ResultCache } from '@bunri/runtime';

/** What a model wrote for a request that failed its checks, and what all its calls have cost. */
const refusalSchema = z.object({
  /** What to tell the model, of its last answer. */
  problems: z.array(z.string()),
  usage: usageSchema,
  /** Answers that were refused. */
  answers: z.int().positive(),
});
export type Refusal = z.infer<typeof refusalSchema>;

const cacheName = 'refused';

/**
 * The refused answers of a request, under a name of their own. They are its alone, so that nobody else is held by them and
 * their cost stays with the request that paid it.
 */
export function refusalsOf(cache: ResultCache, requestId: string) {
  const keyOf = (answerKey: string) => cacheKey([requestId, answerKey]);
  return {
    find: async (answerKey: string) => await cache.get(cacheName, keyOf(answerKey), refusalSchema),
    keep: async (answerKey: string, refusal: Refusal) => await cache.set(cacheName, keyOf(answerKey), refusal),
  };
}

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cost_usd: a.cost_usd + b.cost_usd,
  };
}
