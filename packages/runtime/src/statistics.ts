import type { StageName, Usage } from '@bunri/queue-contracts';

/** Upper bounds, in ms, of the classes in which the daily statistics count how long a stage took. */
export const durationClassesMs = [
  10, 20, 50, 100, 200, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 7_500, 10_000, 20_000, 45_000,
];

/** The cost counters are integers of a billionth of a dollar. */
export const nanoUsd = 1e9;

/** Daily counters stay for a year and a month, so that a day can be compared with the same day of last year. */
export const statisticsTtlMs = 400 * 24 * 3600 * 1000;

/** What one finished stage adds to the counters of its day, all integers. Counters, not records: a day may have millions of requests. */
export function stageCounters(
  stage: StageName,
  result: { output: unknown; durationMs: number; cached: boolean },
  /** Whether the stage is the second that looks at the photo: the first one's category counts. */
  isSecond = false,
): Record<string, number> {
  const { classification } = result.output as { classification?: { waste_category: string } };
  const bound = durationClassesMs.find((ms) => result.durationMs <= ms) ?? 'more';
  const counters: Record<string, number> = result.cached
    ? { [`cached:${stage}`]: 1 }
    : { [`duration:${stage}:${bound}`]: 1 };
  if (classification && !isSecond) counters[`category:${classification.waste_category}`] = 1;
  return counters;
}

/**
 * What one paid call adds to the counters of its day. Counted when it is paid for, not when its stage is finished: an
 * answer that is refused, or whose run is fenced off, has its price all the same.
 */
export function paymentCounters(stage: StageName, usage: Usage): Record<string, number> {
  return {
    [`tokens:${stage}:input`]: usage.input_tokens,
    [`tokens:${stage}:output`]: usage.output_tokens,
    [`nanousd:${stage}`]: Math.round(usage.cost_usd * nanoUsd),
  };
}
