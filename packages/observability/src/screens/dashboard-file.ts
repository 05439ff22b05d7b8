import * as z from 'zod';

const step = z.object({ value: z.number().nullable(), color: z.string() });

/** How a line is drawn. Strict, so that an option that changes the picture is not passed over. */
const custom = z.strictObject({
  fillOpacity: z.number().default(0),
  lineWidth: z.number().default(1),
  lineInterpolation: z.enum(['linear', 'stepAfter']).default('linear'),
  stacking: z
    .strictObject({ mode: z.enum(['none', 'normal']).default('none'), group: z.string().optional() })
    .default({ mode: 'none' }),
  thresholdsStyle: z.strictObject({ mode: z.enum(['off', 'line', 'dashed']) }).default({ mode: 'off' }),
});

/** What stands for single values, by their text. */
const mapping = z.strictObject({
  type: z.literal('value'),
  options: z.record(z.string(), z.object({ text: z.string(), color: z.string().optional() })),
});

const fields = z.strictObject({
  unit: z.string().default('short'),
  min: z.number().nullable().default(null),
  max: z.number().nullable().default(null),
  decimals: z.number().optional(),
  mappings: z.array(mapping).default([]),
  thresholds: z.strictObject({ mode: z.literal('absolute'), steps: z.array(step).min(1) }),
  custom: custom.prefault({}),
});

/** Exceptions from the fields for single series: nobody draws them here. */
const overrides = z.array(z.never());
const target = z.object({
  expr: z.string(),
  refId: z.string(),
  legendFormat: z.string().default(''),
  instant: z.boolean().default(false),
});
const reduceOptions = z.object({ calcs: z.tuple([z.literal('lastNotNull')]) });
const orientation = z.enum(['auto', 'horizontal', 'vertical']).default('auto');

/** Below the chart, names alone. */
const legend = z.strictObject({
  showLegend: z.boolean(),
  displayMode: z.literal('list'),
  placement: z.literal('bottom'),
  calcs: z.array(z.never()),
});

const placed = {
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
};
const asking = { ...placed, targets: z.array(target).min(1) };

const panel = z.discriminatedUnion('type', [
  z.object({ type: z.literal('row'), ...placed, collapsed: z.literal(false), panels: z.array(z.never()) }),
  z.object({ type: z.literal('text'), ...placed }),
  z.object({
    type: z.literal('timeseries'),
    ...asking,
    fieldConfig: z.object({ defaults: fields, overrides }),
    options: z.object({ legend }),
  }),
  z.object({
    type: z.literal('stat'),
    ...asking,
    fieldConfig: z.object({ defaults: fields, overrides }),
    options: z.object({ reduceOptions, graphMode: z.enum(['area', 'none']), colorMode: z.literal('value') }),
  }),
  z.object({
    type: z.literal('bargauge'),
    ...asking,
    fieldConfig: z.object({ defaults: fields, overrides }),
    options: z.object({ reduceOptions, orientation }),
  }),
  z.object({
    type: z.literal('heatmap'),
    ...asking,
    fieldConfig: z.object({ defaults: fields, overrides }),
    options: z.object({ calculate: z.literal(false), yAxis: z.object({ unit: z.string().default('short') }) }),
  }),
]);
export type PanelFile = z.infer<typeof panel>;
export type AskingPanel = Extract<PanelFile, { targets: unknown }>;

const variable = z.object({
  name: z.string(),
  type: z.enum(['datasource', 'query']),
  label: z.string(),
  allValue: z.string().optional(),
});
export type VariableFile = z.infer<typeof variable>;

const dashboard = z.object({
  uid: z.string(),
  title: z.string(),
  panels: z.array(panel),
  templating: z.object({ list: z.array(variable).default([]) }).default({ list: [] }),
});
export type DashboardFile = z.infer<typeof dashboard>;

/**
 * What a dashboard of Grafana has to be drawn from.
 * @throws where it uses something that is not drawn here, so that no picture leaves it out silently.
 */
export function readDashboard(json: string): DashboardFile {
  const { success, data, error } = dashboard.safeParse(JSON.parse(json));
  if (success) return data;
  throw new Error(`This dashboard cannot be drawn:\n${z.prettifyError(error)}`);
}

export const isAsking = (panel: PanelFile): panel is AskingPanel => 'targets' in panel;
