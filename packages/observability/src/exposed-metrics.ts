import { createMetrics } from '@bunri/runtime';

/** What running processes expose: the metrics by name, and of those that have series, the names of their labels. */
export interface ExposedMetrics {
  readonly names: ReadonlySet<string>;
  /** Whether a metric has a series. */
  hasSeries(name: string): boolean;
  /** The labels of a metric; of one that has no series yet, those that its instrument was made with. */
  labelsOf(name: string): ReadonlySet<string>;
}

/** `name` without what a histogram adds to it. */
const baseOf = (name: string) => name.replace(/_(bucket|sum|count)$/, '');

/** Reads pages in Prometheus's text format. */
export function readExposed(pages: readonly string[]): ExposedMetrics {
  const names = new Set<string>();
  const labels = new Map<string, Set<string>>();
  for (const line of pages.flatMap((page) => page.split('\n'))) {
    const [, declared, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (declared !== undefined) {
      names.add(declared);
      if (type === 'histogram' || type === 'summary')
        for (const part of ['_bucket', '_sum', '_count']) names.add(declared + part);
    }
    const [, name, given = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const known = labels.get(name) ?? new Set();
    for (const [, label = ''] of given.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) known.add(label);
    labels.set(name, known);
  }
  const { registry } = createMetrics({ app: 'test', processMetrics: false });
  return {
    names,
    hasSeries: (name) => labels.has(name),
    labelsOf(name) {
      const seen = labels.get(name);
      if (seen) return seen;
      const metric = registry.getSingleMetric(name) ?? registry.getSingleMetric(baseOf(name));
      const { labelNames = [] } = (metric ?? {}) as { labelNames?: readonly string[] };
      return new Set([...labelNames, 'app', ...(name.endsWith('_bucket') ? ['le'] : [])]);
    },
  };
}
