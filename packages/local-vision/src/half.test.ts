import { expect, test } from '@jest/globals';
import { fromHalves, toHalf } from './half.ts';

test.each([
  [0x0000, 0],
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65_504],
  [0x0400, 2 ** -14],
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x3555, 0.333251953125],
  [0x7c00, Infinity],
  [0xfc00, -Infinity],
  [0x7e00, Number.NaN],
])('the half-precision bits %p are %p', (bits, value) => {
  expect([...fromHalves(Uint16Array.of(bits))]).toEqual([value]);
});

test('every finite half is written as the bits that it was read from', () => {
  const all = Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits);
  expect(Uint16Array.from(fromHalves(all), toHalf)).toEqual(all);
});
