import { expect, test } from '@jest/globals';
import { parseRetryAfter, retryWaitsMs, waitAfter } from './schedule.ts';

test('ten attempts are spread over three days, as the specification recommends', () => {
  const hours = retryWaitsMs.map((ms) => ms / 3_600_000);
  expect(retryWaitsMs.slice(0, 3)).toEqual([5_000, 300_000, 1_800_000]);
  expect(hours.slice(3)).toEqual([2, 5, 10, 14, 20, 24]);
});

test.each([
  ['the schedule', 1, {}, 0, 5_000],
  ['the schedule with jitter', 1, {}, 1, 6_000],
  ['the last wait', 9, {}, 0, 86_400_000],
  ['what the receiver asks for, where that is later', 1, { retryAfterMs: 60_000 }, 0, 60_000],
  ['the schedule, where what the receiver asks for is earlier', 2, { retryAfterMs: 1_000 }, 0, 300_000],
  ['a day, where the receiver asks for a year', 1, { retryAfterMs: 365 * 86_400_000 }, 0, 86_400_000],
])('a wait goes by %s', (_what, attempt, terms, random, ms) => {
  expect(waitAfter(attempt, { ...terms, random })).toBe(ms);
});

test.each([
  [undefined, 0],
  ['120', 120_000],
  ['Thu, 01 Jan 1970 00:01:00 GMT', 60_000 - 1_000],
  ['Wed, 31 Dec 1969 23:59:59 GMT', 0],
  ['soon', 0],
  ['-5', 0],
])('Retry-After: %s is a wait of %d ms', (header, ms) => {
  expect(parseRetryAfter(header, 1_000)).toBe(ms);
});
