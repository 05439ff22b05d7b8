import {
  BarGaugeBuilder,
  HeatmapBuilder,
  LegendDisplayMode,
  LegendPlacement,
  PromQueryFormat,
  QueryBuilder,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  StatBuilder,
  TextBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  TimeseriesBuilder,
  VizLegendOptionsBuilder,
} from './grafana.ts';
import { scoped } from './promql.ts';

/** A query of a panel, without the variables of its dashboard, and what a series of it is called. */
export type Target = readonly [query: string, legend: string];

export interface Panel {
  readonly kind: 'lines' | 'stacked' | 'figure' | 'heatmap' | 'bars';
  readonly title: string;
  /** What a reader is to make of it. */
  readonly description: string;
  /** A unit of Grafana. */
  readonly unit: string;
  readonly targets: readonly Target[];
  /** From which value on it is worth a look, and from which on it is bad; below for what must not fall. */
  readonly limits?: { readonly warn?: number; readonly bad: number; readonly whenBelow?: boolean };
  readonly max?: number;
  /** Of 24 columns. Default 8, and 4 for a figure. */
  readonly width?: number;
  /** Whether it is empty as long as nothing has gone wrong, or nothing of the kind has been asked. */
  readonly mayBeEmpty?: boolean;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface DashboardPlan {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}

const datasource = { type: 'prometheus', uid: '${datasource}' };
const refIds = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const green = 'green';
const orange = 'orange';
const red = 'red';

function thresholds(limits: Panel['limits']): ThresholdsConfigBuilder {
  const builder = new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute);
  // Grafana's form of "from minus infinity on" is null.
  const base = (color: string) => ({ value: null, color });
  if (!limits) return builder.steps([base(green)]);
  const { warn, bad, whenBelow = false } = limits;
  const between = warn === undefined ? [] : [{ value: whenBelow ? bad : warn, color: orange }];
  if (whenBelow) return builder.steps([base(red), ...between, { value: warn ?? bad, color: green }]);
  return builder.steps([base(green), ...between, { value: bad, color: red }]);
}

function legend(panel: Panel): VizLegendOptionsBuilder {
  const builder = new VizLegendOptionsBuilder().placement(LegendPlacement.Bottom).displayMode(LegendDisplayMode.List);
  return builder.showLegend(panel.targets.some(([, name]) => name !== ''));
}

const latest = () => new ReduceDataOptionsBuilder().calcs(['lastNotNull']);

function bare(panel: Panel) {
  switch (panel.kind) {
    case 'lines':
      return new TimeseriesBuilder().fillOpacity(5).legend(legend(panel));
    case 'stacked': {
      const stacking = new StackingConfigBuilder().mode(StackingMode.Normal);
      return new TimeseriesBuilder().fillOpacity(30).stacking(stacking).legend(legend(panel));
    }
    case 'figure':
      return new StatBuilder().reduceOptions(latest());
    case 'heatmap':
      return new HeatmapBuilder();
    case 'bars':
      return new BarGaugeBuilder().reduceOptions(latest());
  }
}

/** The panel as Grafana's builders take it, with every query narrowed to the variables of its dashboard. */
export function buildPanel(panel: Panel) {
  const isFigure = panel.kind === 'figure';
  const builder = bare(panel)
    .title(panel.title)
    .description(panel.description)
    .datasource(datasource)
    .unit(panel.unit)
    .min(0)
    .thresholds(thresholds(panel.limits))
    .height(isFigure ? 4 : 8)
    .span(panel.width ?? (isFigure ? 4 : 8));
  if (panel.max !== undefined) builder.max(panel.max);
  for (const [index, [query, name]] of panel.targets.entries()) {
    const target = new QueryBuilder().refId(refIds.charAt(index)).expr(scoped(query)).legendFormat(name);
    builder.withTarget(panel.kind === 'heatmap' ? target.format(PromQueryFormat.Heatmap) : target);
  }
  return builder;
}

/** A piece of Markdown. */
export function buildText(title: string, markdown: string): TextBuilder {
  return new TextBuilder().title(title).content(markdown).height(14).span(12);
}
