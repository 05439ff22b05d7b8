import { expect, test } from '@jest/globals';
import { canWait, mayWaitForBetter, timeForCall, waitAlone } from './pass-on.ts';

const now = 1_000;
/** A stage of 45 s. */
const run = { now, stageEndsAt: now + 45_000 };

test.each([
  { lastAttempt: false, leftMs: 120_000, behind: 'model', timeMs: undefined },
  { lastAttempt: true, leftMs: 120_000, behind: 'nobody', timeMs: undefined },
  { lastAttempt: true, leftMs: 120_000, behind: 'model', timeMs: 30_000 },
  { lastAttempt: true, leftMs: 120_000, behind: 'rules', timeMs: 43_000 },
  { lastAttempt: false, leftMs: 30_000, behind: 'model', timeMs: 20_000 },
  { lastAttempt: false, leftMs: 30_000, behind: 'rules', timeMs: 28_000 },
  { lastAttempt: false, leftMs: 1_000, behind: 'rules', timeMs: 500 },
  { lastAttempt: false, leftMs: -5, behind: 'rules', timeMs: 0 },
] as const)(
  'with $leftMs ms to the deadline and $behind behind it (last attempt: $lastAttempt), a call may take $timeMs ms',
  ({ lastAttempt, leftMs, behind, timeMs }) => {
    expect(timeForCall({ lastAttempt, deadlineAt: now + leftMs }, run, behind)).toBe(timeMs);
  },
);

test('what the jitter adds to a wait is counted before it is begun', () => {
  expect(canWait({ deadlineAt: now + 63_000 }, 60_000, now)).toBe(false);
  expect(canWait({ deadlineAt: now + 68_001 }, 60_000, now)).toBe(true);
});

test.each([
  { stage: 'vision', wholeMs: 120_000, untilMs: 40_000 },
  { stage: 'llm', wholeMs: 120_000, untilMs: 80_000 },
  { stage: 'vision', wholeMs: 24_000, untilMs: 4_000 },
  { stage: 'llm', wholeMs: 15_000, untilMs: 7_000 },
  // Of a day only the last hour is shared out.
  { stage: 'vision', wholeMs: 86_400_000, untilMs: 84_000_000 },
] as const)(
  'of $wholeMs ms a request waits $untilMs ms at $stage for a better engine',
  ({ stage, wholeMs, untilMs }) => {
    const request = { stage, createdAt: now, deadlineAt: now + wholeMs };
    const waitMs = (untilMs - 1) / 1.1;
    expect(mayWaitForBetter(request, waitMs, now)).toBe(true);
    expect(mayWaitForBetter(request, waitMs + 2, now)).toBe(false);
    expect(mayWaitForBetter(request, 1, now + untilMs)).toBe(false);
  },
);

test.each([
  { agoMs: 0, leftMs: 120_000, waitMs: 1_000 },
  { agoMs: 25_000, leftMs: 95_000, waitMs: 2_500 },
  { agoMs: 100_000, leftMs: 15_000, waitMs: 1_500 },
  { agoMs: 40_000_000, leftMs: 40_000_000, waitMs: 30_000 },
])('a request that came $agoMs ms ago and has $leftMs ms left looks again in $waitMs ms', (given) => {
  const request = { createdAt: now - given.agoMs, deadlineAt: now + given.leftMs };
  expect(waitAlone(request, 1_000, now)).toBe(given.waitMs);
  expect(waitAlone(request, 60_000, now)).toBe(60_000);
});
