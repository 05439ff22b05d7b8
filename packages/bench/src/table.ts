import type { Figure, Report } from './scenario.ts';

/** The reports as one Markdown table, the notes below it. */
export function table(reports: ReadonlyMap<string, Report>): string {
  const lines = [...reports].flatMap(([scenario, { figures }]) => figures.map((figure) => line(scenario, figure)));
  const notes = [...reports].flatMap(([scenario, report]) =>
    (report.notes ?? []).map((note) => `- \`${scenario}\`: ${note}`),
  );
  return [
    '| scenario | figure | baseline | bunri | ratio | noise | must reach |',
    '|---|---|---|---|---|---|---|',
    ...lines,
    '',
    ...(notes.length > 0 ? [...notes, ''] : []),
  ].join('\n');
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
