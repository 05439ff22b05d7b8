import { expect, test } from '@jest/globals';
import { alone } from './scenario.ts';
import { missedBounds, table } from './table.ts';

test('tables of another shape stand after the figures, and without figures there is no table of them', () => {
  const tables = [
    {
      title: 'waits',
      columns: ['pods', 'p50, s'],
      rows: [
        [5, 0.25],
        ['all', null],
      ],
    },
  ];
  expect(table(new Map([['a', { figures: [], tables, notes: ['a note'] }]]))).toBe(
    ['**waits**', '', '| pods | p50, s |', '|---|---|', '| 5 | 0.25 |', '| all | – |', '', '- `a`: a note', ''].join(
      '\n',
    ),
  );
});

test('bounds that were missed are counted over all scenarios', () => {
  const figures = [alone('a', [5], { atMost: 4 }), alone('b', [5], { atLeast: 5 }), alone('c', [5])];
  const reports = new Map([
    ['one', { figures }],
    ['two', { figures: [alone('d', [100], { below: 100 })] }],
  ]);
  expect(missedBounds(reports)).toBe('2 of 3 bounds were missed.');
});
