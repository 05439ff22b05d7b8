import {
  dailyCells,
  dailyColumns,
  dailyDocumentSchema,
  failureCodes,
  plainCsv,
  stageNames,
  wasteCategories,
  type DailyDocument,
  type StageName,
  type StageStatistics,
} from '@bunri/queue-contracts';
import { durationClassesMs, nanoUsd } from './statistics.ts';

/** Where a day's document is kept in Redis, as JSON. */
export function dailyKey(prefix: string, day: string): string {
  return `${prefix}:daily:${day}`;
}

/** Where a day's document is kept in the bucket. */
export function dailyObjectKey(day: string, format: 'json' | 'csv' = 'json'): string {
  return `statistics/${day}.${format}`;
}

/** Days as CSV, one a line, below the names of their columns. */
export function dailyCsv(documents: readonly DailyDocument[]): string {
  return plainCsv([dailyColumns, ...documents.map(dailyCells)]);
}

/** The document of a day from the counters that the transitions of its requests left. Pure: the same counters, the same document. */
export function summariseDay(day: string, counters: Readonly<Record<string, string>>): DailyDocument {
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

function stageStatistics(stage: StageName, value: (field: string) => number): StageStatistics {
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
