import { expect, test } from '@jest/globals';
import { createByteBudget } from './byte-budget.ts';

test('no more than the limit is given out, and what is refused takes nothing', () => {
  const budget = createByteBudget(10);
  expect(budget.of('ann').take(6)).not.toBeNull();
  expect(budget.of('bob').take(5)).toBeNull();
  expect(budget.of('bob').take(4)).not.toBeNull();
  expect(budget.takenBytes).toBe(10);
  expect(budget.of('cleo').take(1)).toBeNull();
});

test('what is given back twice counts once', () => {
  const budget = createByteBudget(10);
  const giveBack = budget.of('ann').take(6);
  budget.of('ann').take(1);
  giveBack?.();
  giveBack?.();
  expect(budget.takenBytes).toBe(1);
});

test('an owner with many photos on their way leaves room for others, and one photo always fits alone', () => {
  const budget = createByteBudget(8);
  const ann = Array.from({ length: 8 }, () => budget.of('ann').take(1));
  expect(ann.filter((given) => given !== null)).toHaveLength(6);
  expect(budget.of('bob').take(2)).not.toBeNull();
  for (const give of ann) give?.();
  expect(budget.takenBytes).toBe(2);
  expect(createByteBudget(8).of('ann').take(8)).not.toBeNull();
});
