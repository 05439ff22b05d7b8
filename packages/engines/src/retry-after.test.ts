import { expect, test } from '@jest/globals';
import { retryAfterMs } from './retry-after.ts';

const now = Date.UTC(2026, 0, 5, 12, 0, 0);

test.each([
  [{ 'retry-after-ms': '250' }, 250],
  [{ 'retry-after-ms': '250.7' }, 251],
  [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
  [{ 'retry-after': '2' }, 2_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after': 'Mon, 05 Jan 2026 12:00:03 GMT' }, 3_000],
  [{ 'retry-after': 'Mon, 05 Jan 2026 11:00:00 GMT' }, 100],
  [{ 'retry-after': '0' }, 100],
  [{ 'retry-after': '86400' }, 120_000],
  [{ 'retry-after': '-5' }, 1_000],
  [{ 'retry-after': 'soon' }, 1_000],
  [{ 'retry-after': '2026-01-05' }, 1_000],
  [{}, 1_000],
])('%j means %d ms', (headers, ms) => {
  expect(retryAfterMs(new Headers(headers), now)).toBe(ms);
});

test('no headers at all mean one second', () => {
  expect(retryAfterMs(undefined, now)).toBe(1_000);
});
