import type { DayStatistics } from './answers.ts';

const windowMs = 60_000;
/** Below this a rate would mostly be chance. */
const leastMs = 3_000;

interface Sample {
  readonly at: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** How many a minute, of the requests (`requests`) and of each stage; null until there is something to compare with. */
export interface Rates {
  add(at: number, today: DayStatistics): void;
  perMinute(name: string): number | null;
}

/** Rates over the last minute from counters that only grow; where they begin anew, at midnight or with an empty Redis, so
 * does this. */
export function createRates(): Rates {
  let day = '';
  let samples: Sample[] = [];
  return {
    add(at, today) {
      const counts = countsOf(today);
      const before = [...(samples.at(-1)?.counts ?? [])];
      const isAnew = before.some(([name, count]) => count > (counts.get(name) ?? 0));
      if (today.day !== day || isAnew) samples = [];
      ({ day } = today);
      samples = [...samples.filter((sample) => sample.at > at - windowMs), { at, counts }];
    },
    perMinute(name) {
      const [first] = samples;
      const last = samples.at(-1);
      if (!first || !last || last.at - first.at < leastMs) return null;
      const done = (last.counts.get(name) ?? 0) - (first.counts.get(name) ?? 0);
      return (done * 60_000) / (last.at - first.at);
    },
  };
}

function countsOf({ requests, stages }: DayStatistics): Map<string, number> {
  const ofStages = Object.entries(stages).map(([name, { completed, cached }]) => [name, completed + cached] as const);
  return new Map([['requests', requests.completed], ...ofStages]);
}
