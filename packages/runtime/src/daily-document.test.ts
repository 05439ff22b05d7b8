import { expect, test } from '@jest/globals';
import { stageNames } from '@bunri/queue-contracts';
import { dailyCsv, percentile, summariseDay } from './daily-document.ts';
import { durationClassesMs } from './statistics.ts';

test('a day without requests is a document of zeros', () => {
  expect(summariseDay('2026-11-21', {})).toEqual({
    day: '2026-11-21',
    time_zone: 'Asia/Seoul',
    requests: { accepted: 0, completed: 0, failed: 0, canceled: 0, cached: 0 },
    categories: {},
    failures: {},
    stages: Object.fromEntries(stageNames.map((stage) => [stage, { completed: 0, cached: 0, duration_ms: null }])),
    usage: {},
  });
});

test('every counter of a day finds its place', () => {
  const document = summariseDay('2026-11-21', {
    accepted: '10',
    completed: '7',
    failed: '2',
    canceled: '1',
    cached: '3',
    'category:recyclable': '6',
    'failed:deadline_exceeded': '2',
    'cached:vision': '2',
    'duration:vision:3000': '4',
    'tokens:vision:input': '5120',
    'tokens:vision:output': '96',
    'nanousd:vision': '7360000',
  });
  expect(document.requests).toEqual({ accepted: 10, completed: 7, failed: 2, canceled: 1, cached: 3 });
  expect(document.categories).toEqual({ recyclable: 6 });
  expect(document.failures).toEqual({ deadline_exceeded: 2 });
  expect(document.stages.vision).toEqual({ completed: 4, cached: 2, duration_ms: { p50: 2500, p95: 2950 } });
  expect(document.usage).toEqual({ vision: { input_tokens: 5120, output_tokens: 96, cost_usd: 0.00736 } });
});

/** Counts for each class of durations, and for what is beyond the last. */
function counts(byBound: Record<string, number>): number[] {
  return [...durationClassesMs, 'more'].map((bound) => byBound[bound] ?? 0);
}

test.each([
  ['the only run of the first class', { 10: 1 }, 0.5, 5],
  ['half of the runs are in the first class', { 10: 5, 20: 5 }, 0.5, 10],
  ['most runs are slow', { 10: 1, 4000: 99 }, 0.5, 3495],
  ['the slowest twentieth begins in a later class', { 100: 90, 5000: 10 }, 0.95, 4500],
  ['runs beyond the last class count as long as its bound', { more: 3 }, 0.95, 45_000],
])('a percentile is estimated within its class: %s', (_what, byBound, share, expected) => {
  expect(percentile(counts(byBound), share)).toBe(expected);
});

test('days become lines below the names of their columns', () => {
  const [names = '', ...lines] = dailyCsv([
    summariseDay('2026-11-20', { accepted: '10' }),
    summariseDay('2026-11-21', {}),
  ]).split('\r\n');
  expect(names.startsWith('day,accepted,completed,')).toBe(true);
  expect(lines.map((line) => line.split(',', 2))).toEqual([['2026-11-20', '10'], ['2026-11-21', '0'], ['']]);
});
