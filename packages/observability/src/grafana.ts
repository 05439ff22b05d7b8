// What we use of Grafana's builders, under one name each: the SDK calls every panel's builder alike.
export {
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder as LimitsStyleBuilder,
  GraphThresholdsStyleMode as LimitsStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  VizOrientation,
  VizLegendOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
export {
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  MappingType,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  type Dashboard,
  type ValueMap,
} from '@grafana/grafana-foundation-sdk/dashboard';
export { PanelBuilder as BarGaugeBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
export { PanelBuilder as HeatmapBuilder, YAxisConfigBuilder } from '@grafana/grafana-foundation-sdk/heatmap';
export { DataqueryBuilder as QueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
export { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
export { PanelBuilder as TextBuilder } from '@grafana/grafana-foundation-sdk/text';
export { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
