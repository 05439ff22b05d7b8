import type { Sample } from '../prometheus-server.ts';
import type { Values } from './page/view.ts';

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: Values;
}

/** Its name as Grafana writes it: the legend's text with the labels in it, or the metric where there is none. */
export function nameOf(labels: Readonly<Record<string, string>>, legendFormat: string): string {
  if (legendFormat !== '')
    return legendFormat.replaceAll(/\{\{\s*(.+?)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
  const { __name__: metric = '', ...rest } = labels;
  const inside = Object.entries(rest).map(([label, value]) => `${label}="${value}"`);
  return `${metric}{${inside.join(', ')}}`;
}

/** What Prometheus answered, a value or null for each of the times. */
export function seriesOf(answer: readonly Sample[], times: readonly number[], legendFormat: string): Series[] {
  const indices = new Map(times.map((at, index) => [Math.round(at * 1000), index]));
  return answer.map(({ metric: labels, values: samples }) => {
    const values = times.map((): number | null => null);
    for (const [at, text] of samples) {
      const index = indices.get(Math.round(at * 1000));
      const value = Number(text);
      if (index !== undefined && Number.isFinite(value)) values[index] = value;
    }
    return { name: nameOf(labels, legendFormat), labels, values };
  });
}

export const hasValues = ({ values }: Pick<Series, 'values'>) => values.some((value) => value !== null);

export function lastOf(values: Values): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

/** Each list is the sum of those up to it; what has no value adds nothing where any of them has one. */
export function stacked(lists: readonly Values[]): Values[] {
  const isKnown = (index: number) => lists.some((values) => (values[index] ?? null) !== null);
  const sums: number[] = [];
  return lists.map((values) =>
    values.map((value, index) => {
      if (!isKnown(index)) return null;
      const sum = (sums[index] ?? 0) + (value ?? 0);
      sums[index] = sum;
      return sum;
    }),
  );
}

/** Buckets of a histogram, which count all that is smaller too, as what lies between each bound and the one before. */
export function bucketsOf(series: readonly Series[]): { bounds: number[]; cells: Values[] } {
  const numberOf = ({ labels }: Series) => (labels['le'] === '+Inf' ? Infinity : Number(labels['le']));
  const sorted = series.toSorted((a, b) => numberOf(a) - numberOf(b));
  const cells = sorted.map(({ values }, row) =>
    values.map((value, at) => (value === null ? null : Math.max(0, value - (sorted[row - 1]?.values[at] ?? 0)))),
  );
  return { bounds: sorted.map(numberOf), cells };
}
