import type { PrometheusServer } from '../prometheus-server.ts';
import { isAsking, type AskingPanel, type DashboardFile, type PanelFile, type VariableFile } from './dashboard-file.ts';
import { boxOf } from './layout.ts';
import { seriesOf } from './series.ts';
import { intervalsOf, substitute, timesOf, type Shown } from './variables.ts';
import type { Answered } from './views.ts';

/** Whom to ask, about when, and how far apart its scrapes are, s. */
export interface Source {
  readonly prometheus: Pick<PrometheusServer, 'query' | 'queryRange'>;
  readonly shown: Shown;
  readonly scrapeS: number;
}

async function askPanel(panel: AskingPanel, variables: readonly VariableFile[], source: Source): Promise<Answered> {
  const { prometheus, shown, scrapeS } = source;
  const intervals = intervalsOf(shown, boxOf(panel.gridPos).width, scrapeS);
  const times = timesOf(shown, intervals.stepS);
  const [first = 0, end = 0] = [times[0], times.at(-1)];
  const answers = panel.targets.map(async ({ expr, legendFormat, instant }) => {
    const query = substitute(expr, variables, shown, intervals);
    const answer = await (instant
      ? prometheus.query(query, end)
      : prometheus.queryRange(query, { start: first, end, step: intervals.stepS }));
    return seriesOf(answer, times, legendFormat);
  });
  return { times, series: (await Promise.all(answers)).flat() };
}

/** What is answered to each panel of a dashboard, in their order. @throws with Prometheus's words on a wrong query. */
export async function askAll({ panels, templating }: DashboardFile, source: Source): Promise<Answered[]> {
  const answered: Answered[] = [];
  const nothing = { times: [], series: [] };
  const ask = async (panel: PanelFile) => (isAsking(panel) ? await askPanel(panel, templating.list, source) : nothing);
  for (const panel of panels) answered.push(await ask(panel));
  return answered;
}
