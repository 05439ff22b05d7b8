import {
  BarGaugeBuilder,
  BigValueGraphMode,
  HeatmapBuilder,
  LegendDisplayMode,
  LegendPlacement,
  LimitsStyle,
  LimitsStyleBuilder,
  MappingType,
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
  VizOrientation,
  YAxisConfigBuilder,
  type ValueMap,
} from './grafana.ts';
import { scoped } from './promql.ts';

/** A query of a panel, without the variables of its dashboard, and what a series of it is called. */
export type Target = readonly [query: string, legend: string];

export interface Panel {
  /** Lines, stacks and heat maps show a time; a figure its end, with the way to it; bars the present alone. */
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
  /** Of a figure: what stands for single values, and whether each of them is good. */
  readonly words?: Readonly<Record<number, { readonly text: string; readonly isGood: boolean }>>;
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
const columns = 24;
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

function mappings(words: NonNullable<Panel['words']>): ValueMap[] {
  const options = Object.entries(words).map(([value, { text, isGood }]) => [
    value,
    { text, color: isGood ? green : red },
  ]);
  return [{ type: MappingType.ValueToText, options: Object.fromEntries(options) }];
}

const latest = () => new ReduceDataOptionsBuilder().calcs(['lastNotNull']);

function bare(panel: Panel) {
  switch (panel.kind) {
    case 'lines': {
      const lines = new TimeseriesBuilder().fillOpacity(5).legend(legend(panel));
      // Without a style of their own Grafana draws no thresholds.
      return panel.limits ? lines.thresholdsStyle(new LimitsStyleBuilder().mode(LimitsStyle.Dashed)) : lines;
    }
    case 'stacked': {
      const stacking = new StackingConfigBuilder().mode(StackingMode.Normal);
      return new TimeseriesBuilder().fillOpacity(30).stacking(stacking).legend(legend(panel));
    }
    case 'figure': {
      const figure = new StatBuilder().reduceOptions(latest());
      return panel.words ? figure.mappings(mappings(panel.words)).graphMode(BigValueGraphMode.None) : figure;
    }
    case 'heatmap':
      // Here the field's unit is that of the counts.
      return new HeatmapBuilder().yAxis(new YAxisConfigBuilder().unit(panel.unit));
    case 'bars':
      return new BarGaugeBuilder().orientation(VizOrientation.Horizontal).reduceOptions(latest());
  }
}

/** Rows of Grafana's grid. */
const heightOf = ({ kind }: Panel) => (kind === 'figure' ? 4 : 8);

function buildTarget({ kind }: Panel, [query, name]: Target, refId: string): QueryBuilder {
  const target = new QueryBuilder().refId(refId).expr(scoped(query)).legendFormat(name);
  if (kind === 'heatmap') return target.format(PromQueryFormat.Heatmap);
  // A range would bring along whoever was there at any time of it, and lose the order.
  return kind === 'bars' ? target.instant() : target;
}

/**
 * The panel as Grafana's builders take it, with every query narrowed to the variables of its dashboard.
 * @param width of 24 columns.
 */
export function buildPanel(panel: Panel, width: number) {
  const builder = bare(panel)
    .title(panel.title)
    .description(panel.description)
    .datasource(datasource)
    .unit(panel.unit)
    .min(0)
    .thresholds(thresholds(panel.limits))
    .height(heightOf(panel))
    .span(width);
  if (panel.max !== undefined) builder.max(panel.max);
  for (const [index, target] of panel.targets.entries())
    builder.withTarget(buildTarget(panel, target, refIds.charAt(index)));
  return builder;
}

/**
 * The panels with their widths, so that every line is full: six figures or three others in a line, and where that does not
 * come out even, fewer in the first lines, since what matters most stands first.
 */
export function inFullLines(panels: readonly Panel[]): (readonly [panel: Panel, width: number])[] {
  const [first] = panels;
  if (!first) return [];
  const other = panels.findIndex((panel) => heightOf(panel) !== heightOf(first));
  const alike = other === -1 ? panels : panels.slice(0, other);
  const lines = Math.ceil(alike.length / (first.kind === 'figure' ? 6 : 3));
  const widths = Array.from({ length: lines }, (_, line) => {
    const inLine = Math.floor((alike.length + line) / lines);
    return Array.from({ length: inLine }, () => columns / inLine);
  });
  const placed = widths.flat().map((width, index) => [alike[index] ?? first, width] as const);
  return [...placed, ...inFullLines(panels.slice(alike.length))];
}

/** A piece of Markdown. */
export function buildText(title: string, markdown: string): TextBuilder {
  return new TextBuilder().title(title).content(markdown).height(14).span(12);
}
