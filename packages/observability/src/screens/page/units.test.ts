import { expect, test } from '@jest/globals';
import { writeTicks, writeValue } from './units.ts';

test.each([
  [0, 's', '0 s'],
  [0.0123, 's', '12.3 ms'],
  [3.456, 's', '3.46 s'],
  [90, 's', '1.50 mins'],
  [90_000, 's', '1.04 days'],
  [250, 'ms', '250 ms'],
  [42, 'short', '42'],
  [-1500, 'short', '-1.50 K'],
  [1_234_567, 'short', '1.23 Mil'],
  [0.9876, 'percentunit', '98.8%'],
  [0, 'percentunit', '0%'],
  [12.5, 'percent', '12.5%'],
  [1536, 'bytes', '1.50 KiB'],
  [1500, 'decbytes', '1.50 kB'],
  [2_000_000, 'Bps', '2 MB/s'],
  [0.25, 'reqps', '0.25 req/s'],
  [1200, 'ops', '1.20K ops/s'],
  [0.0042, 'currencyUSD', '$0.0042'],
  [-2.5, 'currencyUSD', '-$2.50'],
  // What no table knows is a suffix, as in Grafana.
  [3, 'bottles', '3 bottles'],
])('%d in %s is written %s', (value, unit, text) => {
  const { number, suffix } = writeValue(value, unit);
  expect(`${number}${suffix}`).toBe(text);
});

test('a number of decimals that is asked for is kept', () => {
  expect(writeValue(2, 's', 2)).toEqual({ number: '2.00', suffix: ' s' });
});

test.each([
  [[0, 0.5, 1, 1.5], 's', ['0 s', '500 ms', '1 s', '1.5 s']],
  [[0, 0.05, 0.1], 'percentunit', ['0%', '5%', '10%']],
  [[0, 12.5, 25], 'short', ['0', '12.5', '25']],
  [[0, 0.001, 0.002], 'currencyUSD', ['$0', '$0.001', '$0.002']],
  [[500, 1000, 1500], 'ops', ['500 ops/s', '1K ops/s', '1.5K ops/s']],
])('an axis with %j in %s says what tells its values apart', (values, unit, labels) => {
  expect(writeTicks(values, unit, (values[1] ?? 0) - (values[0] ?? 0))).toEqual(labels);
});
