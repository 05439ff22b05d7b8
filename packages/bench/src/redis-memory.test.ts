import { expect, test } from '@jest/globals';
import { capacity } from './redis-memory.ts';

test('a store holds what fits into the share that may be filled, and a rate fills it in its time', () => {
  const { requests, hoursAt } = capacity(1_000_000, 0.8, 2_000);
  expect(requests).toBe(400);
  expect(hoursAt(100)).toBe(4);
});
