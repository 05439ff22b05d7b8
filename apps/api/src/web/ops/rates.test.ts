import { expect, test } from '@jest/globals';
import type { DayStatistics } from './answers.ts';
import { createRates } from './rates.ts';

function today(completed: number, vision = 0, day = '2026-11-22'): DayStatistics {
  return {
    day,
    source: 'counters',
    requests: { accepted: 0, completed, failed: 0, canceled: 0, cached: 0 },
    stages: { vision: { completed: vision, cached: 1, duration_ms: null } },
    usage: {},
  };
}

test('a rate is what the counters grew by in the last minute, and unknown until there is something to compare with', () => {
  const rates = createRates();
  rates.add(0, today(100, 50));
  expect(rates.perMinute('requests')).toBeNull();
  rates.add(1_000, today(101, 51));
  expect(rates.perMinute('requests')).toBeNull();
  rates.add(30_000, today(110, 80));
  expect(rates.perMinute('requests')).toBe(20);
  expect(rates.perMinute('vision')).toBe(60);
  rates.add(90_000, today(110, 80));
  expect(rates.perMinute('requests')).toBeNull();
  rates.add(100_000, today(115, 80));
  expect(rates.perMinute('requests')).toBe(30);
});

test('counters that were lost begin anew in the midst of a day, and so do the rates', () => {
  const rates = createRates();
  rates.add(0, today(100));
  rates.add(10_000, today(1));
  expect(rates.perMinute('requests')).toBeNull();
  rates.add(20_000, today(2));
  expect(rates.perMinute('requests')).toBe(6);
});

test('at midnight the counters begin anew, and so do the rates: none is ever negative', () => {
  const rates = createRates();
  rates.add(0, today(100));
  rates.add(10_000, today(2, 0, '2026-11-23'));
  expect(rates.perMinute('requests')).toBeNull();
  rates.add(20_000, today(5, 0, '2026-11-23'));
  expect(rates.perMinute('requests')).toBe(18);
});
