import { stringify } from 'yaml';
import { ruleFile } from './alert.ts';
import { alertGroups } from './alerts.ts';
import { buildDashboard } from './dashboard.ts';
import { dashboards } from './dashboards.ts';
import { runbookDashboard } from './runbook.ts';

/**
 * What Grafana and Prometheus read, by its place below the chart's `files`. The same files serve the chart and compose.
 * @param runbook the text of the runbook, in Markdown.
 */
export function generatedFiles(runbook: string): Map<string, string> {
  const all = [...dashboards.map(buildDashboard), runbookDashboard(runbook)];
  return new Map([
    ...all.map((dashboard): [string, string] => [`dashboards/${dashboard.uid}.json`, `${JSON.stringify(dashboard)}\n`]),
    ...alertGroups.map((group): [string, string] => [
      `alerts/${group.name}.yaml`,
      stringify(ruleFile([group]), { lineWidth: 0 }),
    ]),
  ]);
}
