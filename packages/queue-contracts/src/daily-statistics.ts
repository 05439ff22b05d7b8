import * as z from 'zod';
import { failureCodes } from './failures.ts';
import { wasteCategories } from './schemas.ts';
import { stageNames, type StageName } from './stages.ts';

const count = z.int().nonnegative();
const durationMs = z.number().nonnegative();
const stageName = z.enum(stageNames as [StageName, ...StageName[]]);

const stageStatisticsSchema = z.object({
  completed: count.meta({ description: 'Runs that did the work; those answered from a cache are apart.' }),
  cached: count,
  duration_ms: z
    .object({ p50: durationMs, p95: durationMs })
    .nullable()
    .meta({ description: 'Estimated from classes of durations; null on a day without runs.' }),
});
export type StageStatistics = z.infer<typeof stageStatisticsSchema>;

const usageStatisticsSchema = z.object({
  input_tokens: count,
  output_tokens: count,
  cost_usd: z.number().nonnegative(),
});

/** The statistics of one day in Seoul. Documents of earlier releases lack the stages that came later. */
export const dailyDocumentSchema = z
  .object({
    day: z.iso.date(),
    time_zone: z.literal('Asia/Seoul'),
    requests: z.object({
      accepted: count,
      completed: count,
      failed: count,
      canceled: count,
      cached: count.meta({ description: 'Answered from an earlier answer to the same photo and question.' }),
    }),
    categories: z.partialRecord(z.enum(wasteCategories), count).meta({ description: 'Photos by what they showed.' }),
    failures: z.partialRecord(z.enum(failureCodes), count).meta({ description: 'Failed requests by code.' }),
    stages: z.partialRecord(stageName, stageStatisticsSchema),
    usage: z.partialRecord(stageName, usageStatisticsSchema).meta({ description: 'What was paid for, by stage.' }),
  })
  .meta({ id: 'DailyStatistics' });
export type DailyDocument = z.infer<typeof dailyDocumentSchema>;

const counts = ['accepted', 'completed', 'failed', 'canceled', 'cached'] as const;
const figures = ['completed', 'cached', 'p50_ms', 'p95_ms', 'input_tokens', 'output_tokens', 'cost_usd'] as const;

/**
 * The columns of a day as CSV, to be read by their names: the day, its requests, `category_<waste category>`,
 * `failed_<failure code>`, and for each stage its runs, percentiles, tokens and cost in US dollars. A later release may add
 * columns anywhere.
 */
export const dailyColumns: readonly string[] = [
  'day',
  ...counts,
  ...wasteCategories.map((category) => `category_${category}`),
  ...failureCodes.map((code) => `failed_${code}`),
  ...stageNames.flatMap((stage) => figures.map((figure) => `${stage.replaceAll('.', '_')}_${figure}`)),
];

/** A day in the order of `dailyColumns`. What was not measured is empty. */
export function dailyCells({ day, requests, categories, failures, stages, usage }: DailyDocument): (string | number)[] {
  return [
    day,
    ...counts.map((name) => requests[name]),
    ...wasteCategories.map((category) => categories[category] ?? 0),
    ...failureCodes.map((code) => failures[code] ?? 0),
    ...stageNames.flatMap((stage) => {
      const { completed = 0, cached = 0, duration_ms: durations } = stages[stage] ?? {};
      const { input_tokens: input = 0, output_tokens: output = 0, cost_usd: cost = 0 } = usage[stage] ?? {};
      return [completed, cached, durations?.p50 ?? '', durations?.p95 ?? '', input, output, cost];
    }),
  ];
}

/**
 * Lines as RFC 4180 has them, with CR LF. For cells that are names of columns, dates and counts: none of them needs quotes,
 * and none begins with what a spreadsheet takes for a formula.
 *
 * @throws RangeError for any other cell
 */
export function plainCsv(lines: readonly (readonly (string | number)[])[]): string {
  return lines.map((cells) => `${cells.map(plainCell).join(',')}\r\n`).join('');
}

function plainCell(cell: string | number): string {
  const text = String(cell);
  if (!/^(?:\w[\w.:-]*)?$/.test(text)) throw new RangeError('a cell of plain CSV has letters that need quotes');
  return text;
}
