import { expect, test } from '@jest/globals';
import type { VariableFile } from './dashboard-file.ts';
import { intervalsOf, substitute, timesOf } from './variables.ts';

const hour = { from: 0, to: 3600 };
const variables: VariableFile[] = [
  { name: 'datasource', type: 'datasource', label: 'Data source' },
  { name: 'namespace', type: 'query', label: 'Namespace', allValue: '.*' },
];

// Range in s, width of the panel in px, interval between scrapes in s: step and rate interval in s, as Grafana has them.
test.each([
  [3600, 450, 15, 15, 60],
  [3600, 1400, 15, 15, 60],
  [86_400, 450, 15, 120, 135],
  [86_400, 1400, 30, 60, 120],
  [300, 450, 3, 3, 12],
  [240, 450, 10, 10, 40],
  [604_800, 450, 15, 1200, 1215],
])(
  '%d s on %d px with a scrape each %d s have a step of %d s and a rate over %d s',
  (range, width, scrape, stepS, rateS) => {
    expect(intervalsOf({ from: 1_000_000, to: 1_000_000 + range }, width, scrape)).toEqual({ stepS, rateS });
  },
);

test('a query is evaluated at multiples of its step, the first at or before the beginning', () => {
  expect(timesOf({ from: 101, to: 131 }, 10)).toEqual([100, 110, 120, 130]);
});

test.each([
  ['rate(a_total{namespace=~"$namespace"}[$__rate_interval])', 'rate(a_total{namespace=~".*"}[60s])'],
  ['a{namespace=~"${namespace}"}', 'a{namespace=~".*"}'],
  ['max_over_time(a[$__range]) / $__interval_ms', 'max_over_time(a[3600s]) / 15000'],
  ['label_replace(a, "b", "x", "c", "y$")', 'label_replace(a, "b", "x", "c", "y$")'],
])('%s is asked as %s', (expr, query) => {
  expect(substitute(expr, variables, hour, { stepS: 15, rateS: 60 })).toBe(query);
});

test('a variable that nobody has declared is no empty text', () => {
  expect(() => substitute('a{b="$unknown"}', variables, hour, { stepS: 15, rateS: 60 })).toThrow('$unknown');
});
