import { expect, test } from '@jest/globals';
import { median, noisePercent, percentile, slope } from './measure.ts';

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

test('the slope is that of the line which the points lie around', () => {
  const at = (x: number, y: number) => ({ x, y });
  expect(slope([at(0, 3), at(1, 5), at(2, 7)])).toBe(2);
  expect(slope([at(0, 1), at(1, 3), at(2, 1), at(3, 3)])).toBeCloseTo(0.4);
  expect(slope([at(1, 1)])).toBeNaN();
});
