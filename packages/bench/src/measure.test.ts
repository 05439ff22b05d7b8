import { expect, test } from '@jest/globals';
import { median, noisePercent, percentile } from './measure.ts';

test('percentiles are values that were measured', () => {
  const values = [5, 1, 4, 2, 3];
  expect(median(values)).toBe(3);
  expect(percentile(values, 0.99)).toBe(5);
  expect(percentile(values, 0)).toBe(1);
  expect(percentile([], 0.5)).toBeNaN();
});

test('noise is half the spread in percent of the median', () => {
  expect(noisePercent([90, 100, 110])).toBeCloseTo(10);
});
