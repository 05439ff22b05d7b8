import { expect, test } from '@jest/globals';
import { alone, compare, sideBySide } from './scenario.ts';

test('sides take turns at being first, after one run each that does not count', async () => {
  const order: string[] = [];
  const side = (name: string) => async () => await Promise.resolve(order.push(name));
  const pairs = await sideBySide(3, { baseline: side('r'), bunri: side('b') });
  expect(order.join('')).toBe('rbrbbrrb');
  expect(pairs).toEqual([
    { baseline: 3, bunri: 4 },
    { baseline: 6, bunri: 5 },
    { baseline: 7, bunri: 8 },
  ]);
});

test('a ratio is the median of the ratios of the rounds, and is what the bound judges', () => {
  const pairs = [
    { baseline: 100, bunri: 80 },
    { baseline: 50, bunri: 30 },
    { baseline: 200, bunri: 180 },
  ];
  const figure = compare('completed a second', pairs, (value) => value, { atLeast: 0.7 });
  expect(figure).toMatchObject({ baseline: 100, bunri: 80, ratio: 0.8, bound: { text: '≥ 0.7 ×', met: true } });
  expect(compare('CPU', pairs, (value) => value, { atMost: 0.7 }).bound).toEqual({ text: '≤ 0.7 ×', met: false });
});

test('a figure without a baseline is judged by its own median', () => {
  expect(alone('p50, ms', [9, 30, 21], { atMost: 20 })).toMatchObject({
    bunri: 21,
    baseline: null,
    ratio: null,
    bound: { met: false },
  });
  expect(alone('p50, ms', [5]).noisePercent).toBeNull();
});
