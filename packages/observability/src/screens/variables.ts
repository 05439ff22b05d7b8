import type { VariableFile } from './dashboard-file.ts';

/** The time that is shown, epoch seconds. */
export interface Shown {
  readonly from: number;
  readonly to: number;
}

export interface Intervals {
  /** Between two values of a query, s. */
  readonly stepS: number;
  /** What stands for `$__rate_interval`, s. */
  readonly rateS: number;
}

/** Up to which a step becomes the second one, ms: Grafana's pkg/promlib/intervalv2. */
const steps = [
  [10, 1],
  [15, 10],
  [35, 20],
  [75, 50],
  [150, 100],
  [350, 200],
  [750, 500],
  [1_500, 1_000],
  [3_500, 2_000],
  [7_500, 5_000],
  [12_500, 10_000],
  [17_500, 15_000],
  [25_000, 20_000],
  [45_000, 30_000],
  [90_000, 60_000],
  [210_000, 120_000],
  [450_000, 300_000],
  [750_000, 600_000],
  [1_050_000, 900_000],
  [1_500_000, 1_200_000],
  [2_700_000, 1_800_000],
  [5_400_000, 3_600_000],
] as const;

/** Prometheus gives no more values than these for a series. */
const mostValues = 11_000;

function rounded(ms: number): number {
  return steps.find(([upTo]) => ms <= upTo)?.[1] ?? Math.floor(ms / 3_600_000) * 3_600_000;
}

/**
 * What Grafana makes of a range and a panel's width in pixels, for a data source with this interval between scrapes.
 */
export function intervalsOf({ from, to }: Shown, widthPx: number, scrapeS: number): Intervals {
  const rangeMs = (to - from) * 1000;
  const byWidth = Math.max(rounded(rangeMs / widthPx), scrapeS * 1000);
  const stepS = Math.max(byWidth, rounded(rangeMs / mostValues)) / 1000;
  return { stepS, rateS: Math.max(stepS + scrapeS, 4 * scrapeS) };
}

/** The times at which a query is evaluated: multiples of the step, as Grafana aligns them. */
export function timesOf({ from, to }: Shown, stepS: number): number[] {
  const [first, last] = [from, to].map((at) => Math.floor(at / stepS));
  return Array.from({ length: (last ?? 0) - (first ?? 0) + 1 }, (_, index) => ((first ?? 0) + index) * stepS);
}

/**
 * The query with all variables replaced, each of the dashboard's own standing at "All".
 * @throws on a variable that nobody has declared.
 */
export function substitute(
  expr: string,
  variables: readonly VariableFile[],
  { from, to }: Shown,
  { stepS, rateS }: Intervals,
): string {
  const rangeS = Math.round(to - from);
  const builtIn: Record<string, string> = {
    __interval: `${stepS}s`,
    __interval_ms: String(stepS * 1000),
    __rate_interval: `${rateS}s`,
    __range: `${rangeS}s`,
    __range_s: String(rangeS),
    __range_ms: String(rangeS * 1000),
  };
  const own = new Map(
    variables.flatMap(({ name, allValue }) => (allValue === undefined ? [] : [[name, allValue] as const])),
  );
  return expr.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? '';
    const value = builtIn[name] ?? own.get(name);
    if (value === undefined) throw new Error(`${whole} stands for nothing in: ${expr}`);
    return value;
  });
}
