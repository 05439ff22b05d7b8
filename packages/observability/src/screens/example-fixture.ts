// A dashboard with a panel of each kind, and answers to it: for tests of what is drawn.
import type { Series } from './series.ts';
import type { Answered } from './views.ts';

const thresholds = {
  mode: 'absolute',
  steps: [
    { value: null, color: 'green' },
    { value: 3, color: 'red' },
  ],
};
const targets = [{ refId: 'A', expr: 'up{job=~"$job"}', legendFormat: '' }];
const options = {
  legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
  reduceOptions: { calcs: ['lastNotNull'] },
  graphMode: 'area',
  colorMode: 'value',
  calculate: false,
  yAxis: { unit: 's' },
};

function panel(type: string, title: string, x: number, y: number, fields: object = {}) {
  const defaults = { unit: 's', min: 0, thresholds, ...fields };
  return { type, title, gridPos: { x, y, w: 8, h: 6 }, targets, options, fieldConfig: { defaults, overrides: [] } };
}

const dashed = { thresholdsStyle: { mode: 'dashed' } };
const stacking = { fillOpacity: 30, stacking: { mode: 'normal' } };
const yes = [{ type: 'value', options: { '1': { text: 'yes', color: 'green' } } }];

export const exampleDashboard = {
  uid: 'example',
  title: 'bunri / Example',
  templating: { list: [{ name: 'job', type: 'query', label: 'Job', allValue: '.*' }] },
  panels: [
    { type: 'row', title: 'All kinds', collapsed: false, panels: [], gridPos: { x: 0, y: 0, w: 24, h: 1 } },
    panel('timeseries', 'Lines', 0, 1, { custom: { fillOpacity: 5, ...dashed } }),
    panel('timeseries', 'Stack', 8, 1, { custom: stacking }),
    panel('timeseries', 'Nothing', 16, 1),
    panel('stat', 'Figure', 0, 7),
    panel('stat', 'Mapped', 8, 7, { mappings: yes }),
    panel('bargauge', 'Bars', 16, 7, { unit: 'short' }),
    panel('heatmap', 'Heat map', 0, 13),
  ],
};

const times = [1_800_000_000, 1_800_000_010, 1_800_000_020];
const series = (name: string, values: Series['values'], labels = {}): Series => ({ name, labels, values });
const answered = (...all: Series[]): Answered => ({ times, series: all });
const [a, b] = [series('a', [1, 2, 3]), series('b', [2, 2, 2])];

/** To each panel of the example. */
export const exampleAnswers: readonly Answered[] = [
  answered(),
  answered(a, b),
  answered(a, b),
  answered(series('a', [null, null, null])),
  answered(a),
  answered(series('a', [0, 1, 1])),
  answered(a, b),
  answered(series('1', [1, 2, 3], { le: '1' }), series('+Inf', [2, 2, 3], { le: '+Inf' })),
];
