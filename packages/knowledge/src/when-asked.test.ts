import { expect, test } from '@jest/globals';
import { whenAsked } from './when-asked.ts';

test('a function is made when it is first called, and once', () => {
  let made = 0;
  const double = whenAsked(() => {
    made += 1;
    return (number: number) => 2 * number;
  });
  expect(made).toBe(0);
  expect([double(2), double(3)]).toEqual([4, 6]);
  expect(made).toBe(1);
});
