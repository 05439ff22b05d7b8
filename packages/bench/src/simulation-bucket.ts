import type { ModelLimits } from '@bunri/runtime';

/** How much of a limit an idle model saves up, and how long a worker waits in place: those of the workers' own budget. */
const burstMs = 5_000;
const longestWaitMs = 1_000;

export interface SimulatedBudget {
  /** Takes a call of so many tokens, to be made after `waitMs`; or takes nothing, and tells when to ask again. */
  admit(now: number, tokens: number): { readonly admitted: boolean; readonly waitMs: number };
  /** Until the next call is admitted, ms. */
  debtMs(now: number): number;
  /** What may be used at once; below zero it is owed. */
  levels(): readonly number[];
}

interface Level {
  readonly limit: number;
  /** A ms. */
  readonly rate: number;
  readonly amount: (tokens: number) => number;
  value: number;
}

/**
 * The token bucket of a model as the workers ask it, without Redis: the same levels, burst and waits, by the clock that is
 * given. A test asks both the same and compares. Pauses that a provider orders and corrections afterwards are not in it.
 */
export function createSimulatedBudget({ requestsPerMinute, tokensPerMinute }: ModelLimits): SimulatedBudget {
  const levels: Level[] = [];
  const open = (limit: number | undefined, amount: Level['amount']) => {
    if (limit !== undefined) levels.push({ limit, rate: limit / 60_000, amount, value: (limit / 60_000) * burstMs });
  };
  open(requestsPerMinute, () => 1);
  open(tokensPerMinute, (tokens) => tokens);
  let at: number | undefined;
  const risen = ({ rate, value }: Level, now: number) => Math.min(rate * burstMs, value + rate * (now - (at ?? now)));
  const debtMs = (now: number) =>
    levels.reduce((longest, level) => Math.max(longest, -risen(level, now) / level.rate), 0);
  return {
    debtMs,
    admit(now, tokens) {
      const waitMs = debtMs(now);
      if (waitMs > longestWaitMs) return { admitted: false, waitMs };
      for (const level of levels) level.value = Math.max(-level.limit, risen(level, now) - level.amount(tokens));
      at = now;
      return { admitted: true, waitMs };
    },
    levels: () => levels.map(({ value }) => value),
  };
}
