import { expect, test } from '@jest/globals';
import { table } from './table.ts';

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
