import type { Figure, Report, Table } from './scenario.ts';

/** The reports as one Markdown table, tables of another shape and the notes below it. */
export function table(reports: ReadonlyMap<string, Report>): string {
  const lines = [...reports].flatMap(([scenario, { figures }]) => figures.map((figure) => line(scenario, figure)));
  const notes = [...reports].flatMap(([scenario, report]) =>
    (report.notes ?? []).map((note) => `- \`${scenario}\`: ${note}`),
  );
  const head = [
    '| scenario | figure | baseline | bunri | ratio | noise | must reach |',
    '|---|---|---|---|---|---|---|',
  ];
  return [
    ...(lines.length > 0 ? [...head, ...lines, ''] : []),
    ...[...reports.values()].flatMap(({ tables = [] }) => tables.flatMap(markdown)),
    ...(notes.length > 0 ? [...notes, ''] : []),
  ].join('\n');
}

function markdown({ title, columns, rows }: Table): string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const lines = rows.map((cells) =>
    row(cells.map((cell) => (cell === null ? '–' : typeof cell === 'number' ? written(cell) : cell))),
  );
  return [`**${title}**`, '', row(columns), `|${'---|'.repeat(columns.length)}`, ...lines, ''];
}

function line(scenario: string, { figure, baseline, bunri, ratio, noisePercent, bound }: Figure): string {
  const cells = [
    `\`${scenario}\``,
    figure,
    baseline === null ? '–' : written(baseline),
    written(bunri),
    ratio === null ? '–' : ratio.toFixed(2),
    noisePercent === null ? '–' : `±${noisePercent.toFixed(0)} %`,
    bound === null ? '–' : `${bound.text}: ${bound.met ? 'yes' : '**no**'}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function written(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(2);
}

/** One line: how many figures missed what they must reach. */
export function missedBounds(reports: ReadonlyMap<string, Report>): string {
  const bounds = [...reports.values()].flatMap(({ figures }) => figures.flatMap(({ bound }) => bound ?? []));
  return `${bounds.filter(({ met }) => !met).length} of ${bounds.length} bounds were missed.`;
}
