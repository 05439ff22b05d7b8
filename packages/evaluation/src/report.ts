import type { Judged, Score, Share } from './score.ts';
import { ratio, scoresByPart } from './score.ts';

/** One engine or prompt version over all cases. */
export interface Run {
  /** What is compared, such as `rules` or `gpt-4o-mini, prompt 2`. */
  readonly name: string;
  readonly judged: readonly Judged[];
  readonly score: Score;
}

/**
 * The figures of all runs side by side, then the parts of each run, then every case that went wrong; of photos, how often
 * the material was told rightly comes first.
 */
export function textReport(runs: readonly Run[], materials?: Share): string {
  const seen = materials ? `material right: ${percent(materials)}` : '';
  return [seen, figures(runs), ...runs.map(parts), ...(runs.length > 1 ? [changes(runs)] : []), ...runs.map(faults)]
    .filter((section) => section !== '')
    .join('\n\n');
}

/** The same as data: scores, scores by tag and language, and each verdict with what the guidance said. */
export function jsonReport(runs: readonly Run[], materials?: Share): unknown {
  return {
    ...(materials && { materials }),
    runs: runs.map(({ name, judged, score }) => ({
      name,
      score,
      parts: Object.fromEntries(scoresByPart(judged)),
      cases: judged.map(({ verdict, answer: { guidance, context, degraded } }) => ({
        ...verdict,
        item_id: context.item_id,
        degraded,
        guidance,
        ...(context.clarification && { clarification: context.clarification }),
      })),
    })),
  };
}

const rows: readonly (readonly [string, (score: Score) => string])[] = [
  ['cases', ({ cases }) => String(cases)],
  ['category right', ({ category }) => percent(category)],
  ['item right', ({ item }) => percent(item)],
  ['asks where it should', ({ clarification }) => percent(clarification)],
  ['category right, not asked back', ({ categoryUnasked }) => percent(categoryUnasked)],
  ['asked back', ({ asked, cases }) => percent({ right: asked, of: cases })],
  ['citation precision', ({ citationPrecision }) => percent(citationPrecision)],
  ['citation recall', ({ citationRecall }) => percent(citationRecall)],
  ['forbidden statements', ({ forbidden }) => String(forbidden)],
  ['answered by a fallback', ({ degraded }) => String(degraded)],
  ['tokens in, out', ({ tokens }) => `${tokens.input}, ${tokens.output}`],
  ['cost, USD', ({ costUsd }) => costUsd.toFixed(4)],
  ['look-up p50, p99, ms', ({ ragMs }) => `${ms(ragMs.p50)}, ${ms(ragMs.p99)}`],
  ['answer p50, p99, ms', ({ llmMs }) => `${ms(llmMs.p50)}, ${ms(llmMs.p99)}`],
];

function figures(runs: readonly Run[]): string {
  return columns([
    ['', ...runs.map(({ name }) => name)],
    ...rows.map(([label, cell]) => [label, ...runs.map(({ score }) => cell(score))]),
  ]);
}

function parts({ name, judged }: Run): string {
  const scores = [...scoresByPart(judged)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return columns([
    [name, 'cases', 'category', 'item', 'recall', 'forbidden'],
    ...scores.map(([part, { cases, category, item, citationRecall, forbidden }]) => [
      part,
      String(cases),
      percent(category),
      percent(item),
      percent(citationRecall),
      String(forbidden),
    ]),
  ]);
}

/** The cases in which the last run does better or worse than the first. */
function changes(runs: readonly Run[]): string {
  const [first, last] = [runs[0], runs.at(-1)];
  if (!first || !last) return '';
  const before = new Map(first.judged.map((judged) => [judged.verdict.id, wrongs(judged)]));
  const lines = last.judged.flatMap((judged) => {
    const was = before.get(judged.verdict.id) ?? [];
    const is = wrongs(judged);
    if (was.length === is.length) return [];
    return [
      `${is.length < was.length ? '+' : '-'} ${judged.verdict.id}: ${(is.length < was.length ? was : is).join('; ')}`,
    ];
  });
  return [`From ${first.name} to ${last.name}: ${lines.length} cases better (+) or worse (-)`, ...lines].join('\n');
}

function faults({ name, judged }: Run): string {
  const lines = judged.flatMap((each) => wrongs(each).map((wrong) => `  ${each.verdict.id}: ${wrong}`));
  return lines.length === 0 ? '' : [`${name}: ${lines.length} faults`, ...lines].join('\n');
}

/** Everything that is wrong with an answer, in words. */
function wrongs({ verdict, answer }: Judged): string[] {
  const { categoryRight, itemRight, clarificationRight, asked, missingRules, forbidden, destination } = verdict;
  return [
    ...(categoryRight === false ? [`sent to ${destination}`] : []),
    ...(itemRight === false ? [`taken for ${answer.context.item_id ?? 'nothing known'}`] : []),
    ...(clarificationRight === false ? [asked ? 'asked back in vain' : 'did not ask back'] : []),
    ...missingRules.map((rule) => `did not cite ${rule}`),
    ...forbidden.map((words) => `said ${JSON.stringify(words)}`),
  ];
}

function percent(share: Share): string {
  const value = ratio(share);
  return value === null ? '–' : `${(value * 100).toFixed(1)} % (${share.right} of ${share.of})`;
}

function ms(value: number | null): string {
  return value === null ? '–' : value.toFixed(value < 10 ? 2 : 0);
}

function columns(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
