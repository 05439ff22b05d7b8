import { expect, test } from '@jest/globals';
import { readDashboard } from './dashboard-file.ts';
import { exampleAnswers, exampleDashboard } from './example-fixture.ts';
import { boxOf, pageHeight } from './layout.ts';
import { viewOf } from './views.ts';

const dashboard = () => readDashboard(JSON.stringify(exampleDashboard));
const panel = (title: string) =>
  viewOf(dashboard(), exampleAnswers, []).panels.find((one) => one.title === title) ?? {};

test('panels lie in 24 columns with a gap between them, and the page ends below the last one', () => {
  const [left, right] = [boxOf({ x: 0, y: 1, w: 8, h: 8 }), boxOf({ x: 8, y: 1, w: 16, h: 8 })];
  expect(right.left - (left.left + left.width)).toBe(8);
  expect(right.left + right.width).toBe(1400 - 16);
  expect(left.height).toBe(8 * 38 - 8);
  expect(boxOf({ x: 0, y: 9, w: 8, h: 8 }).top - left.top).toBe(8 * 38);
  expect(pageHeight([{ x: 0, y: 1, w: 8, h: 8 }])).toBe(left.top + left.height + 16);
});

test('a panel that nothing was answered to says so', () => {
  expect(panel('Nothing')).toMatchObject({ kind: 'empty' });
});

test('lines have the colours of the palette, and limits are drawn where the dashboard wants them drawn', () => {
  expect(panel('Lines')).toMatchObject({
    kind: 'lines',
    lines: [
      { name: 'a', color: '#73bf69' },
      { name: 'b', color: '#f2cc0c' },
    ],
    limits: [{ value: 3, color: '#f2495c', isDashed: true }],
  });
  expect(panel('Stack')).toMatchObject({
    limits: [],
    isStacked: true,
    lines: [{ values: [1, 2, 3] }, { values: [3, 4, 5] }],
  });
});

test('a figure is the last value, in the colour of the step that it has reached', () => {
  expect(panel('Figure')).toMatchObject({ kind: 'figure', number: '3', suffix: ' s', color: '#f2495c' });
  expect(panel('Mapped')).toMatchObject({ kind: 'figure', number: 'yes', suffix: '', color: '#73bf69' });
});

test('bars are as long as their share of the longest', () => {
  expect(panel('Bars')).toMatchObject({
    bars: [
      { share: 1, number: '3' },
      { share: expect.closeTo(2 / 3), number: '2' },
    ],
  });
});

test('a heat map has a row for each bucket', () => {
  expect(panel('Heat map')).toMatchObject({
    kind: 'heatmap',
    bounds: [1, Infinity],
    cells: [
      [1, 2, 3],
      [1, 0, 0],
    ],
  });
});
