import { expect, test } from '@jest/globals';
import { rank, toExclusive, toProbabilities, uncalibratedCap } from './probabilities.ts';

test('a temperature makes logits and probabilities less sure alike', () => {
  const logits = [Math.log(0.8), Math.log(0.2)];
  expect(toProbabilities(logits, 'logits')[0]).toBeCloseTo(0.8);
  expect(toProbabilities([0.8, 0.2], 'probabilities')[0]).toBeCloseTo(0.8);
  // The square roots of 0.8 and 0.2 are as 2 to 1.
  for (const [values, kind] of [
    [logits, 'logits'],
    [[0.8, 0.2], 'probabilities'],
  ] as const) {
    expect(toProbabilities(values, kind, 2)[0]).toBeCloseTo(2 / 3);
  }
});

test.each([
  [[1, Number.NaN], 'logits', /not finite/],
  [[7.2, 0.1], 'probabilities', /sum up to 7\.300; are they logits/],
  [[1.5, -0.5], 'probabilities', /no probabilities/],
] as const)('%j are not taken for %s', (values, kind, why) => {
  expect(() => toProbabilities(values, kind)).toThrow(why);
});

test('probabilities each for itself are never more than 1 together, and stay small where nothing fits', () => {
  const sure = toExclusive([8, 8]);
  expect(sure).toEqual([0.5, 0.5]);
  expect(toExclusive([-8, -8])[0]).toBeLessThan(0.001);
  expect(toExclusive([2], 2)[0]).toBeCloseTo(1 / (1 + Math.exp(-1)));
});

test('classes of one label are summed up, null is nobody, and nothing uncalibrated is sure', () => {
  const classes = ['glass', 'metal', 'glass', null];
  const of = (calibrated: boolean) => rank([0.5, 0.1, 0.3, 0.1], classes, { labels: 'materials', calibrated }).ranked;
  expect(of(true)).toEqual([
    { label: 'glass', probability: 0.8 },
    { label: 'metal', probability: 0.1 },
  ]);
  expect(of(false)[0]).toEqual({ label: 'glass', probability: uncalibratedCap });
});
