import { colorOf, paletteColor, thresholdColor } from './colors.ts';
import type { AskingPanel, DashboardFile, PanelFile } from './dashboard-file.ts';
import { boxOf, pageHeight, pageWidth } from './layout.ts';
import { writeValue } from './page/units.ts';
import type { Body, DashboardView, PanelView } from './page/view.ts';
import { bucketsOf, hasValues, lastOf, stacked, type Series } from './series.ts';

/** What Prometheus answered to all queries of a panel. */
export interface Answered {
  readonly times: readonly number[];
  readonly series: readonly Series[];
}

type Of<Type extends AskingPanel['type']> = Extract<AskingPanel, { type: Type }>;

function linesOf(panel: Of<'timeseries'>, { times, series }: Answered): Body {
  const { custom, unit, min, max, thresholds } = panel.fieldConfig.defaults;
  const isStacked = custom.stacking.mode === 'normal';
  const lists = isStacked ? stacked(series.map(({ values }) => values)) : series.map(({ values }) => values);
  const { mode } = custom.thresholdsStyle;
  return {
    kind: 'lines',
    times,
    lines: series.map(({ name }, index) => ({ name, color: paletteColor(index), values: lists[index] ?? [] })),
    isStacked,
    hasLegend: panel.options.legend.showLegend,
    fillOpacity: custom.fillOpacity / 100,
    lineWidth: custom.lineWidth,
    isStepped: custom.lineInterpolation === 'stepAfter',
    unit,
    min,
    max,
    limits: thresholds.steps.flatMap(({ value, color }) =>
      mode === 'off' || value === null ? [] : [{ value, color: colorOf(color), isDashed: mode === 'dashed' }],
    ),
  };
}

function figureOf({ options, fieldConfig: { defaults } }: Of<'stat'>, { times, series }: Answered): Body {
  const [first, ...others] = series;
  if (others.length > 0) throw new Error('A figure shows one series, not several.');
  const last = lastOf(first?.values ?? []);
  if (last === null) return { kind: 'empty' };
  const mapped = defaults.mappings.map((one) => one.options[String(last)]).find((one) => one !== undefined);
  return {
    kind: 'figure',
    ...(mapped ? { number: mapped.text, suffix: '' } : writeValue(last, defaults.unit, defaults.decimals)),
    color: mapped?.color === undefined ? thresholdColor(last, defaults.thresholds.steps) : colorOf(mapped.color),
    times,
    values: options.graphMode === 'area' ? (first?.values ?? []) : [],
    min: defaults.min,
    max: defaults.max,
  };
}

function barsOf({ options, gridPos, fieldConfig: { defaults } }: Of<'bargauge'>, { series }: Answered): Body {
  const { unit, decimals, max, thresholds } = defaults;
  const min = defaults.min ?? 0;
  const values = series.map(({ name, values: all }) => ({ name, value: lastOf(all) ?? 0 }));
  const highest = max ?? Math.max(...values.map(({ value }) => value));
  const { width, height } = boxOf(gridPos);
  return {
    kind: 'bars',
    isHorizontal: options.orientation === 'horizontal' || (options.orientation === 'auto' && width < height),
    bars: values.map(({ name, value }) => ({
      name,
      ...writeValue(value, unit, decimals),
      color: thresholdColor(value, thresholds.steps),
      share: highest > min ? Math.min(1, Math.max(0, (value - min) / (highest - min))) : 0,
    })),
  };
}

function bodyOf(panel: PanelFile, { times, series: all }: Answered): Body {
  const answered = { times, series: all.filter(hasValues) };
  if (panel.type === 'row') return { kind: 'row' };
  if (answered.series.length === 0) return { kind: 'empty' };
  switch (panel.type) {
    case 'text':
      throw new Error('A text is not drawn.');
    case 'timeseries':
      return linesOf(panel, answered);
    case 'stat':
      return figureOf(panel, answered);
    case 'bargauge':
      return barsOf(panel, answered);
    case 'heatmap':
      return { kind: 'heatmap', times, ...bucketsOf(answered.series), unit: panel.options.yAxis.unit };
  }
}

/** The dashboard as it is drawn, with what was answered to each of its panels, in their order. */
export function viewOf(
  dashboard: DashboardFile,
  answers: readonly Answered[],
  remarks: readonly string[],
): DashboardView {
  const panels = dashboard.panels.map((panel, index): PanelView => {
    const body = bodyOf(panel, answers[index] ?? { times: [], series: [] });
    return { title: panel.title, box: boxOf(panel.gridPos), ...body };
  });
  const height = pageHeight(dashboard.panels.map(({ gridPos }) => gridPos));
  return { title: dashboard.title, remarks, width: pageWidth, height, panels };
}
