import { median, noisePercent } from './measure.ts';

/** One line of the table. */
export interface Figure {
  /** What was measured, with its unit. */
  readonly figure: string;
  /** The same of what stands beside it; null where nothing does. */
  readonly baseline: number | null;
  readonly bunri: number;
  /** bunri ÷ baseline, the median of the ratios of each round. */
  readonly ratio: number | null;
  /** Half the spread of what the bound is about, in percent of its median; null for a single measurement. */
  readonly noisePercent: number | null;
  /** What it must reach; without one the figure is only shown. */
  readonly bound: Bound | null;
}

export interface Bound {
  readonly text: string;
  readonly met: boolean;
}

export interface BenchOptions {
  /** Repetitions of everything that is compared. */
  readonly rounds: number;
  /** Given by hand: how much each round does, in the scenario's own unit. */
  readonly count: number | undefined;
  /** Given by hand with `--set name=value`, for scenarios that have settings. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Path or name of a Redis server; without it one is looked for. */
  readonly redisBinary: string | undefined;
  /** `PATH` of processes that are started. */
  readonly path: string | undefined;
  /** Tells whoever waits how far it is. */
  readonly say: (line: string) => void;
}

export interface Report {
  readonly figures: readonly Figure[];
  /** What a reader has to know beside the figures: sizes, replicas, what the baseline is. */
  readonly notes?: readonly string[];
  /** Of another shape than figures: shown after them. */
  readonly tables?: readonly Table[];
}

/** Values of one kind a column. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  /** True for what says nothing of this machine, and so is no part of a run of everything. */
  readonly onlyByName?: boolean;
  /** Starts what it needs, measures, and leaves nothing behind. */
  run(options: BenchOptions): Promise<Report>;
}

/** What both sides gave in one round. */
export interface Pair<Sample> {
  readonly baseline: Sample;
  readonly bunri: Sample;
}

/** Runs each side once to warm up, then `rounds` times in turn. */
export async function sideBySide<Sample>(
  rounds: number,
  sides: { baseline: () => Promise<Sample>; bunri: () => Promise<Sample> },
): Promise<Pair<Sample>[]> {
  await sides.baseline();
  await sides.bunri();
  const pairs: Pair<Sample>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Alternating the order keeps a machine that grows slower or faster from favouring a side.
    if (round % 2 === 0) pairs.push({ baseline: await sides.baseline(), bunri: await sides.bunri() });
    else {
      const bunri = await sides.bunri();
      pairs.push({ baseline: await sides.baseline(), bunri });
    }
  }
  return pairs;
}

type Limit = { readonly atLeast: number } | { readonly atMost: number } | { readonly below: number };

/** A figure of both sides, bounded by its ratio. */
export function compare<Sample>(
  figure: string,
  pairs: readonly Pair<Sample>[],
  pick: (sample: Sample) => number,
  limit?: Limit,
): Figure {
  const ratios = pairs.map(({ baseline, bunri }) => pick(bunri) / pick(baseline));
  const ratio = median(ratios);
  return {
    figure,
    baseline: median(pairs.map(({ baseline }) => pick(baseline))),
    bunri: median(pairs.map(({ bunri }) => pick(bunri))),
    ratio,
    noisePercent: noisePercent(ratios),
    bound: limit ? bound(ratio, limit, ' ×') : null,
  };
}

/** A figure of bunri alone: the median of its values. */
export function alone(figure: string, values: readonly number[], limit?: Limit): Figure {
  const bunri = median(values);
  return {
    figure,
    baseline: null,
    bunri,
    ratio: null,
    noisePercent: values.length > 1 ? noisePercent(values) : null,
    bound: limit ? bound(bunri, limit, '') : null,
  };
}

function bound(value: number, limit: Limit, unit: string): Bound {
  if ('atLeast' in limit) return { text: `≥ ${limit.atLeast}${unit}`, met: value >= limit.atLeast };
  if ('below' in limit) return { text: `< ${limit.below}${unit}`, met: value < limit.below };
  return { text: `≤ ${limit.atMost}${unit}`, met: value <= limit.atMost };
}
