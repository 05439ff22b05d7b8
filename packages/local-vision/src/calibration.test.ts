import { expect, test } from '@jest/globals';
import { blockSize, foldsOf } from './blocks.ts';
import { calibrationError, coverageAt, fitTemperature, rightShare } from './calibration.ts';

test('no run of neighbouring photos is on both sides of a fold, and every fold has photos of each folder', () => {
  const folders = [...Array.from({ length: 210 }, () => 'glass'), ...Array.from({ length: 105 }, () => 'metal')];
  const folds = foldsOf(folders, 5);
  for (const [from, count] of [
    [0, 210],
    [210, 105],
  ] as const) {
    const own = folds.slice(from, from + count);
    for (let start = 0; start < count; start += blockSize) {
      expect(new Set(own.slice(start, start + blockSize)).size).toBe(1);
    }
    expect(new Set(own)).toEqual(new Set([0, 1, 2, 3, 4]));
  }
});

test('the temperature makes overconfident logits as sure as they are right', () => {
  // Right in three of four, and surer than that.
  const judged = Array.from({ length: 400 }, (_, index) => ({
    logits: Float32Array.of(6, 0),
    label: index % 4 === 0 ? 1 : 0,
  }));
  const temperature = fitTemperature([...judged, { logits: Float32Array.of(6, 0), label: 0 }]);
  // The logits differ by 6, and by the logarithm of 3 where they are right in three of four.
  expect(temperature).toBe(3);
  const modest = judged.map(({ label }) => ({ logits: Float32Array.of(2, 0), label }));
  expect(fitTemperature(modest)).toBeCloseTo(2 / Math.log(3), 1);
});

test('the calibration error is how far confidence and accuracy are apart', () => {
  const sure = (isRight: boolean) => ({ confidence: 0.9, isRight });
  expect(calibrationError([sure(true), sure(false)])).toBeCloseTo(0.4);
  expect(calibrationError(Array.from({ length: 10 }, (_, index) => sure(index > 0)))).toBeCloseTo(0);
  expect(calibrationError([])).toBe(0);
});

test('of the surest choices fewer are wrong, and the threshold is the confidence of the last that is kept', () => {
  const choices = [0.9, 0.8, 0.7, 0.6].map((confidence, index) => ({ confidence, isRight: index < 2 }));
  expect(rightShare(choices)).toBe(0.5);
  expect(coverageAt(choices, [1, 0.5])).toEqual([
    { coverage: 1, accuracy: 0.5, threshold: 0.6 },
    { coverage: 0.5, accuracy: 1, threshold: 0.8 },
  ]);
});
