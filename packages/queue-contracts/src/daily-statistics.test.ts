import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { dailyCells, dailyColumns, dailyDocumentSchema, plainCsv, type DailyDocument } from './daily-statistics.ts';

const shipped = new URL('../documents/daily-statistics.v1.json', import.meta.url);
const content = JSON.parse(readFileSync(shipped, 'utf8')) as DailyDocument;

/** A line by the names of its columns. */
function byColumn(document: DailyDocument) {
  const cells = dailyCells(document);
  expect(cells).toHaveLength(dailyColumns.length);
  return Object.fromEntries(dailyColumns.map((column, i) => [column, cells[i]]));
}

test('a document that was written once is read for ever, though it knows nothing of later stages', () => {
  expect(dailyDocumentSchema.parse(content)).toEqual(content);
});

test('every figure of a day has its column, and what was not measured is empty', () => {
  expect(byColumn(content)).toMatchObject({
    day: '2026-11-21',
    accepted: 10,
    cached: 3,
    category_recyclable: 6,
    category_food: 0,
    failed_deadline_exceeded: 2,
    vision_completed: 4,
    vision_cached: 2,
    vision_p50_ms: 2500,
    vision_p95_ms: 2950,
    vision_input_tokens: 5120,
    vision_cost_usd: 0.00736,
    vision_local_completed: 0,
    vision_local_p50_ms: '',
    llm_p95_ms: '',
  });
});

test('columns have names of their own, of letters that need no quotes', () => {
  expect(new Set(dailyColumns).size).toBe(dailyColumns.length);
  expect(plainCsv([dailyColumns, dailyCells(content)]).split('\r\n')).toHaveLength(3);
});

test.each(['=1+1', '-5', '+5', '@a', 'a,b', 'a"b', 'a\nb', ' a'])(
  'a cell that a spreadsheet could take for something else is never written: %j',
  (cell) => {
    expect(() => plainCsv([['day', cell]])).toThrow(RangeError);
  },
);
