import { expect, test } from '@jest/globals';
import { bucketsOf, lastOf, nameOf, seriesOf, stacked } from './series.ts';

test.each([
  [{ queue: 'rag', class: 'batch' }, '{{queue}} {{ class }}', 'rag batch'],
  [{}, 'refused: {{reason}}', 'refused: '],
  [{ __name__: 'up', job: 'bunri' }, '', 'up{job="bunri"}'],
])('a series of %j with the legend %j is called %j', (labels, legend, name) => {
  expect(nameOf(labels, legend)).toBe(name);
});

test('a time without a value, and a value that is no number, are gaps', () => {
  const answer = [
    {
      metric: {},
      values: [
        [10, '1'],
        [20, 'NaN'],
        [40, '4'],
      ] as const,
    },
  ];
  expect(seriesOf(answer, [10, 20, 30, 40], 'a')[0]?.values).toEqual([1, null, null, 4]);
});

test('in a stack what has no value adds nothing, and where nobody has one there is a gap', () => {
  expect(
    stacked([
      [1, null, null],
      [2, 3, null],
    ]),
  ).toEqual([
    [1, 0, null],
    [3, 3, null],
  ]);
});

test('the last value is the last one that there was', () => {
  expect([lastOf([1, 2, null]), lastOf([null])]).toEqual([2, null]);
});

test('a bucket has what fell between its bound and the one before, whatever the order of the answer', () => {
  const bucket = (le: string, values: number[]) => ({ name: le, labels: { le }, values });
  const { bounds, cells } = bucketsOf([bucket('+Inf', [6, 3]), bucket('10', [5, 3]), bucket('2', [1, 3])]);
  expect(bounds).toEqual([2, 10, Infinity]);
  expect(cells).toEqual([
    [1, 3],
    [4, 0],
    [1, 0],
  ]);
});
