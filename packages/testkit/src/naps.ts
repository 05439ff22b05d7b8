// What tells a machine that stood still: a thread that only sleeps, and wakes up too late.

/** How long such a thread sleeps at a time. */
export const napMs = 10;
/** What wakes it later is not one thread's turn behind another's, where few are busy. */
const tolerableMs = 50;

/** Of the time since the last look, all but a nap counts as a standstill from `tolerableMs` on. */
export function isStandstill(sinceLastLookMs: number): boolean {
  return sinceLastLookMs > tolerableMs;
}
