import type { StageName } from '@bunri/queue-contracts';

/** Upper bounds, in ms, of the classes in which the daily statistics count how long a stage took. */
export const durationClassesMs = [
  10, 20, 50, 100, 200, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 7_500, 10_000, 20_000, 45_000,
];

/** The cost counters are integers of a billionth of a dollar. */
export const nanoUsd = 1e9;

/** What one finished stage adds to the counters of its day, all integers. Counters, not records: a day may have millions of requests. */
export function stageCounters(
  stage: StageName,
  result: { output: unknown; durationMs: number; cached: boolean },
): Record<string, number> {
  const { usage, classification } = result.output as {
    usage?: { input_tokens: number; output_tokens: number; cost_usd: number };
    classification?: { waste_category: string };
  };
  const bound = durationClassesMs.find((ms) => result.durationMs <= ms) ?? 'more';
  const counters: Record<string, number> = result.cached
    ? { [`cached:${stage}`]: 1 }
    : { [`duration:${stage}:${bound}`]: 1 };
  if (classification) counters[`category:${classification.waste_category}`] = 1;
  if (usage && !result.cached) {
    counters[`tokens:${stage}:input`] = usage.input_tokens;
    counters[`tokens:${stage}:output`] = usage.output_tokens;
    counters[`nanousd:${stage}`] = Math.round(usage.cost_usd * nanoUsd);
  }
  return counters;
}
