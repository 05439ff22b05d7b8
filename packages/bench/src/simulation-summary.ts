import type { Request, StageName } from '@bunri/queue-contracts';
import { percentile } from './measure.ts';
import type { SimulationResult } from './simulation.ts';

/** Shares are in 0 to 1, NaN of nothing. */
export interface Summary {
  readonly submitted: number;
  readonly answeredPerMinute: number;
  /** Of those that were answered, without the time in which stages worked on them. */
  readonly waitMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  readonly refusedShare: number;
  readonly lateShare: number;
  /** Of the stages' slots, and of what their models admit where that is limited. */
  readonly uses: readonly Use[];
  /** What is short; null where hardly anybody waits. */
  readonly bottleneck: string | null;
  /** For each call that was made, how many jobs the budgets refused and the workers put back. */
  readonly putBackPerCall: number;
}

export interface Use {
  readonly what: string;
  readonly stage: StageName;
  readonly of: 'slots' | 'limit';
  readonly share: number;
}

/** Where hardly anybody waits longer than this, nothing is short. */
const shortWaitMs = 1_000;

/** Of the requests of a class that were submitted in the window, and of the stages within it. */
export function summarise(
  { ended, use }: SimulationResult,
  { fromMs, toMs, priority }: { fromMs: number; toMs: number; priority: Request['priority'] },
): Summary {
  const own = ended.filter(({ arrival: { atMs, priority: of } }) => of === priority && atMs >= fromMs && atMs < toMs);
  const answered = ended.filter(
    ({ outcome, endedAt }) => outcome === 'answered' && endedAt >= fromMs && endedAt < toMs,
  );
  const waits = own.filter(({ outcome }) => outcome === 'answered').map(({ waitedMs }) => waitedMs);
  const share = (wanted: string) => own.filter(({ outcome }) => outcome === wanted).length / own.length;
  const limited = use.filter(({ plan: { limits } }) => limits?.requestsPerMinute ?? limits?.tokensPerMinute);
  const uses = use.flatMap(({ plan, busyMs, calls }): Use[] => {
    const { stage, slots, limits, tokens = 0 } = plan;
    const minutes = (toMs - fromMs) / 60_000;
    const shares = [
      limits?.requestsPerMinute && calls / minutes / limits.requestsPerMinute,
      limits?.tokensPerMinute && (calls * tokens) / minutes / limits.tokensPerMinute,
    ].filter((each) => each !== undefined);
    const ofSlots = { what: `${stage} slots`, stage, of: 'slots', share: busyMs / slots / (toMs - fromMs) } as const;
    if (shares.length === 0) return [ofSlots];
    return [ofSlots, { what: `${stage} limit`, stage, of: 'limit', share: Math.max(...shares) }];
  });
  const waitMs = { p50: percentile(waits, 0.5), p95: percentile(waits, 0.95), p99: percentile(waits, 0.99) };
  return {
    submitted: own.length,
    answeredPerMinute: answered.length / ((toMs - fromMs) / 60_000),
    waitMs,
    refusedShare: share('refused'),
    lateShare: share('late'),
    uses,
    bottleneck: waitMs.p95 < shortWaitMs ? null : bottleneckOf(uses),
    putBackPerCall: total(use.map(({ putBack }) => putBack)) / Math.max(1, total(limited.map(({ calls }) => calls))),
  };
}

/** What is used most. Who waits in place for a limit fills the slots, too: a limit that is used up is the reason then. */
function bottleneckOf(uses: readonly Use[]): string | null {
  const fullest = (of: readonly Use[]) => of.toSorted((a, b) => b.share - a.share)[0];
  const limit = fullest(uses.filter((use) => use.of === 'limit' && use.share >= 0.95));
  return (limit ?? fullest(uses))?.what ?? null;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
