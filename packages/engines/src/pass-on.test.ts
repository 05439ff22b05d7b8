import { expect, test } from '@jest/globals';
import { timeForCall } from './pass-on.ts';

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
