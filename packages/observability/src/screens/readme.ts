import type { LoadReport } from './load.ts';
import type { DashboardView } from './page/view.ts';
import type { Phase } from './phases.ts';
import type { Shown } from './variables.ts';

export interface Screen {
  readonly uid: string;
  readonly view: DashboardView;
}

export interface Told {
  readonly screens: readonly Screen[];
  readonly phases: readonly Phase[];
  readonly report: LoadReport;
  readonly shown: Shown;
  readonly scrapeS: number;
  readonly rateS: number;
  readonly timeZone: string;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** `2026-01-31 17:05:09` in a time zone. */
export function clockTime(epochS: number, timeZone: string): string {
  return new Date(epochS * 1000).toLocaleString('sv-SE', { timeZone });
}

/** What is to be known of the pictures: who drew them, of what, under what load. In Markdown. */
export function readme({ screens, phases, report, shown, scrapeS, rateS, timeZone }: Told): string {
  const clock = (ms: number | undefined) => clockTime((ms ?? 0) / 1000, timeZone).slice(-8);
  const paces = phases.map(({ says, perSecond: [from, to] }, index) => [
    clock(report.beginnings[index]),
    from === to ? from : `${from} to ${to}`,
    says,
  ]);
  const ends = [...report.ends].toSorted(([, a], [, b]) => b - a);
  const total = ends.reduce((sum, [, count]) => sum + count, 0);
  const empty = screens.flatMap(({ view }) =>
    view.panels.flatMap(({ kind, title }) => (kind === 'empty' ? [`${view.title}: ${title}`] : [])),
  );
  const pictures = screens.map(({ uid, view }) => `## ${view.title}\n\n![${view.title}](${uid}.png)`);
  return `# The dashboards under load

**These pictures are not Grafana's.** \`npm run screens\` drew them with a renderer of our own, from the files that Grafana
imports (\`helm/bunri/files/dashboards\`) and from what a real Prometheus answered to their queries; the curves are drawn with
uPlot, which Grafana uses too. Grafana itself shows more: tooltips, menus, links, and legends to scroll.

The whole system ran on one machine, each app one process, with Redis, an S3 server and the simulator of the model API.
Photos are drawn and answers invented; the models cost what the price table says for the tokens that the simulator counts.

- Shown: ${clockTime(shown.from, timeZone)} to ${clockTime(shown.to, timeZone)}, ${timeZone}. The dashboards' own range is one hour.
- Prometheus scraped every ${scrapeS} s, so that \`$__rate_interval\` is ${rateS} s by Grafana's rules, and a minute with the
  chart's 15 s. Nothing in the dashboards was changed.
- A counter that did not exist before its first event shows its second one first.

## The load

${table(['from', 'requests/s', 'what happened'], paces)}

Single requests: ${total}, which ended like this; the rows of the batch are not among them.

${table(['end', 'requests'], ends)}

${empty.length === 0 ? 'Every panel had something to show.' : `Panels without data, since nothing of the kind happened: ${empty.join('; ')}.`}

${pictures.join('\n\n')}
`;
}
