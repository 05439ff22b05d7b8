import type { Outcome } from './outputs.ts';
import { percentile, type Tally } from './tally.ts';
import { seconds } from './view.ts';

export interface Summary {
  readonly rows: number;
  /** Of all rows, those of earlier runs included. */
  readonly outcomes: Outcome['counts'];
  /** Of this run. */
  readonly errors_by_code: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly row_seconds: { readonly p50: number | null; readonly p95: number | null; readonly max: number | null };
  readonly stage_seconds: Readonly<
    Record<string, { readonly p50: number | null; readonly p95: number | null; readonly cached: number }>
  >;
  readonly cost_usd: number;
  readonly results_file: string;
  readonly errors_file: string;
}

export function toSummary(
  { total, byCode, durationsMs, stages, costUsd, startedAt }: Tally,
  { counts, out, errors }: Outcome & { out: string; errors: string },
  now: number,
): Summary {
  const of = (values: readonly number[], share: number) => {
    const ms = percentile(values, share);
    return ms === null ? null : ms / 1000;
  };
  const stageSeconds = [...stages].map(([name, { durationsMs: times, cached }]) => [
    name,
    { p50: of(times, 0.5), p95: of(times, 0.95), cached },
  ]);
  return {
    rows: total,
    outcomes: counts,
    errors_by_code: Object.fromEntries(byCode),
    seconds: (now - startedAt) / 1000,
    row_seconds: { p50: of(durationsMs, 0.5), p95: of(durationsMs, 0.95), max: of(durationsMs, 1) },
    stage_seconds: Object.fromEntries(stageSeconds) as Summary['stage_seconds'],
    cost_usd: costUsd,
    results_file: out,
    errors_file: errors,
  };
}

/** The summary for people. */
export function summaryLines(summary: Summary): string[] {
  const { outcomes, errors_by_code: codes, row_seconds: row } = summary;
  const counts = Object.entries(outcomes).filter(([name, count]) => count > 0 || name === 'completed');
  const inMs = (value: number | null) => (value === null ? null : value * 1000);
  return [
    `${summary.rows} rows: ${counts.map(([name, count]) => `${count} ${name.replace('_', ' ')}`).join(', ')}`,
    ...Object.entries(codes).map(([code, count]) => `  ${count} ${code}`),
    `a row took p50 ${seconds(inMs(row.p50))} s, p95 ${seconds(inMs(row.p95))} s, at most ${seconds(inMs(row.max))} s; all took ${summary.seconds.toFixed(1)} s`,
    `cost of this run: ${summary.cost_usd.toFixed(4)} USD`,
    `results: ${summary.results_file}; rows without an answer: ${summary.errors_file}`,
  ];
}
