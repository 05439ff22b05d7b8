import { expect, test } from '@jest/globals';
import { createByteBudget } from './byte-budget.ts';

test('no more than the limit is given out, and what is refused takes nothing', () => {
  const budget = createByteBudget(10);
  expect(budget.take(6)).not.toBeNull();
  expect(budget.take(5)).toBeNull();
  expect(budget.take(4)).not.toBeNull();
  expect(budget.takenBytes).toBe(10);
  expect(budget.take(1)).toBeNull();
});

test('what is given back twice counts once', () => {
  const budget = createByteBudget(10);
  const giveBack = budget.take(6);
  budget.take(4);
  giveBack?.();
  giveBack?.();
  expect(budget.takenBytes).toBe(4);
});
