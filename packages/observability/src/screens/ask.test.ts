import { expect, test } from '@jest/globals';
import type { QuerySpan } from '../prometheus-server.ts';
import { askAll } from './ask.ts';
import { readDashboard } from './dashboard-file.ts';
import { exampleDashboard } from './example-fixture.ts';

test('each panel is asked for the time that is shown, and one that wants the present alone for its end', async () => {
  const [row, lines] = exampleDashboard.panels;
  const targets = [{ refId: 'A', expr: 'max(up{job=~"$job"})', legendFormat: 'now', instant: true }];
  const dashboard = readDashboard(JSON.stringify({ ...exampleDashboard, panels: [row, lines, { ...lines, targets }] }));
  const asked: (readonly [string, QuerySpan | number | undefined])[] = [];
  const query = async (text: string, time: number) => {
    asked.push([text, time]);
    return await Promise.resolve([{ metric: { __name__: 'up' }, values: [[time, '1']] as const }]);
  };
  const queryRange = async (text: string, span?: QuerySpan) => {
    asked.push([text, span]);
    return await Promise.resolve([{ metric: { __name__: 'up' }, values: [[span?.end ?? 0, '1']] as const }]);
  };
  const prometheus = { query, queryRange };
  const answers = await askAll(dashboard, { prometheus, shown: { from: 1005, to: 1065 }, scrapeS: 10 });
  expect(asked).toEqual([
    ['up{job=~".*"}', { start: 1000, end: 1060, step: 10 }],
    ['max(up{job=~".*"})', 1060],
  ]);
  expect(
    answers.map(({ times, series }) => [times.length, series.map(({ name, values }) => [name, values.at(-1)])]),
  ).toEqual([
    [0, []],
    [7, [['up{}', 1]]],
    [7, [['now', 1]]],
  ]);
});
