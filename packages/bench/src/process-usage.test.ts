import { expect, test } from '@jest/globals';
import { parseCpuSeconds, parseKilobytes } from './process-usage.ts';

test('the times of a process are found behind a name of any kind', () => {
  const rest = 'S 1 2 3 0 -1 4194560 5 6 7 8 150 50 0 0 20 0 11 0 1 2 3';
  expect(parseCpuSeconds(`42 (node) ${rest}`)).toBe(2);
  expect(parseCpuSeconds(`42 (a) b 9 (c) ${rest}`)).toBe(2);
  expect(() => parseCpuSeconds('42 (node) S')).toThrow('no times');
});

test('a line of memory is read in bytes, and a missing one is an error', () => {
  const text = 'Rss:              300 kB\nPss:              100 kB\nPss_Dirty:         50 kB\n';
  expect(parseKilobytes(text, 'Pss')).toBe(102_400);
  expect(() => parseKilobytes(text, 'VmHWM')).toThrow('VmHWM is not told');
});
