import * as z from 'zod';
import { failureCodes, stageNames, wasteCategories, type StageName } from '@bunri/queue-contracts';
import { durationClassesMs, nanoUsd } from '@bunri/runtime';

const count = z.int().nonnegative();
const durationMs = z.number().nonnegative();

const stageStatisticsSchema = z.object({
  completed: count.meta({ description: 'Runs that did the work; those answered from a cache are apart.' }),
  cached: count,
  duration_ms: z
    .object({ p50: durationMs, p95: durationMs })
    .nullable()
    .meta({ description: 'Estimated from classes of durations; null on a day without runs.' }),
});

const usageStatisticsSchema = z.object({
  input_tokens: count,
  output_tokens: count,
  cost_usd: z.number().nonnegative(),
});

/** The statistics of one day in Seoul. */
export const dailyDocumentSchema = z
  .object({
    day: z.iso.date(),
    time_zone: z.literal('Asia/Seoul'),
    requests: z.object({ accepted: count, completed: count, failed: count, canceled: count, cached: count }),
    categories: z.partialRecord(z.enum(wasteCategories), count),
    failures: z.partialRecord(z.enum(failureCodes), count),
    stages: z.record(z.enum(stageNames as [StageName, ...StageName[]]), stageStatisticsSchema),
    usage: z.partialRecord(z.enum(stageNames as [StageName, ...StageName[]]), usageStatisticsSchema),
  })
  .meta({ id: 'DailyStatistics' });
export type DailyDocument = z.infer<typeof dailyDocumentSchema>;

/** Where a day's document is kept in Redis, as JSON. */
export function dailyKey(prefix: string, day: string): string {
  return `${prefix}:daily:${day}`;
}

/** Where a day's document is kept in the bucket. */
export function dailyObjectKey(day: string): string {
  return `statistics/${day}.json`;
}

/** The document of a day from the counters that the transitions of its requests left. Pure: the same counters, the same document. */
export function summariseDay(day: string, counters: Record<string, string>): DailyDocument {
  const value = (field: string) => Number(counters[field] ?? 0);
  const known = <Name extends string>(names: readonly Name[], field: string) =>
    Object.fromEntries(
      names.filter((name) => value(`${field}:${name}`) > 0).map((name) => [name, value(`${field}:${name}`)]),
    ) as Partial<Record<Name, number>>;
  const usage = (stage: StageName) => ({
    input_tokens: value(`tokens:${stage}:input`),
    output_tokens: value(`tokens:${stage}:output`),
    cost_usd: value(`nanousd:${stage}`) / nanoUsd,
  });
  return dailyDocumentSchema.parse({
    day,
    time_zone: 'Asia/Seoul',
    requests: {
      accepted: value('accepted'),
      completed: value('completed'),
      failed: value('failed'),
      canceled: value('canceled'),
      cached: value('cached'),
    },
    categories: known(wasteCategories, 'category'),
    failures: known(failureCodes, 'failed'),
    stages: Object.fromEntries(stageNames.map((stage) => [stage, stageStatistics(stage, value)])),
    usage: Object.fromEntries(
      stageNames.filter((stage) => counters[`tokens:${stage}:input`] !== undefined).map((s) => [s, usage(s)]),
    ),
  });
}

function stageStatistics(stage: StageName, value: (field: string) => number): z.infer<typeof stageStatisticsSchema> {
  const counts = [...durationClassesMs, 'more'].map((bound) => value(`duration:${stage}:${bound}`));
  const completed = counts.reduce((sum, inClass) => sum + inClass, 0);
  return {
    completed,
    cached: value(`cached:${stage}`),
    duration_ms: completed === 0 ? null : { p50: percentile(counts, 0.5), p95: percentile(counts, 0.95) },
  };
}

/**
 * An estimate, in ms: the durations of a class are taken to be spread evenly over it, as `histogram_quantile` of Prometheus
 * does. It is off by less than the width of the class; beyond the last class its lower bound is given, which is too low.
 */
export function percentile(counts: readonly number[], share: number): number {
  const rank = share * counts.reduce((sum, inClass) => sum + inClass, 0);
  let below = 0;
  for (const [i, inClass] of counts.entries()) {
    const lower = durationClassesMs[i - 1] ?? 0;
    const upper = durationClassesMs[i] ?? lower;
    if (below + inClass >= rank && inClass > 0) {
      return Math.round(lower + ((rank - below) / inClass) * (upper - lower));
    }
    below += inClass;
  }
  return 0;
}
