import {
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  type Dashboard,
} from './grafana.ts';
import { buildPanel, inFullLines, type DashboardPlan } from './panel.ts';

/** Of every dashboard: by it they find each other. */
const tag = 'bunri';
export const runbookUid = 'bunri-runbook';

function labelVariable(name: 'namespace' | 'job', label: string, series: string): QueryVariableBuilder {
  return (
    new QueryVariableBuilder(name)
      .label(label)
      .datasource({ type: 'prometheus', uid: '${datasource}' })
      .query(`label_values(${series}, ${name})`)
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .includeAll(true)
      // Also what has no such label, as outside of a cluster.
      .allValue('.*')
      .multi(true)
  );
}

/** A dashboard without panels: its name, its variables, and the ways to the others and to the runbook. */
export function emptyDashboard({ uid, title, description }: Omit<DashboardPlan, 'rows'>): DashboardBuilder {
  return new DashboardBuilder(`bunri / ${title}`)
    .uid(uid)
    .description(description)
    .tags([tag])
    .readonly()
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .link(
      new DashboardLinkBuilder('bunri')
        .type(DashboardLinkType.Dashboards)
        .tags([tag])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    )
    .link(new DashboardLinkBuilder('Runbook').type(DashboardLinkType.Link).url(`/d/${runbookUid}`).icon('doc'));
}

/** Numbers the panels from 1 on, in their order: Grafana's links to single panels go by these. */
export function numbered(dashboard: Dashboard): Dashboard {
  return { ...dashboard, panels: (dashboard.panels ?? []).map((panel, index) => ({ ...panel, id: index + 1 })) };
}

/** The dashboard as Grafana imports it. */
export function buildDashboard(plan: DashboardPlan): Dashboard {
  const builder = emptyDashboard(plan)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(labelVariable('namespace', 'Namespace', 'bunri_redis_up'))
    .withVariable(labelVariable('job', 'Job', 'bunri_redis_up{namespace=~"$namespace"}'));
  for (const { title, panels } of plan.rows) {
    builder.withRow(new RowBuilder(title));
    for (const [panel, width] of inFullLines(panels)) builder.withPanel(buildPanel(panel, width));
  }
  return numbered(builder.build());
}
