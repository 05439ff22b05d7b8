import { stages, type StageName } from '@bunri/queue-contracts';
import { durationClassesMs } from './statistics.ts';

/** How long one run of a stage holds a slot. */
export interface ServiceTime {
  readonly meanMs: number;
  /** Standard deviation. */
  readonly sdMs: number;
  /** Share of the runs that did the work; the others found its result in a cache and held their slot for no time to speak of. */
  readonly workShare: number;
}

/** A stage as a request finds it that is submitted now. */
export interface StageLoad {
  readonly stage: StageName;
  /** Jobs that wait in the stage's queue and will be taken before the request's. */
  readonly waiting: number;
  readonly active: number;
  /** Jobs that wait for a time, as far as they count as earlier. */
  readonly delayed: number;
  /** Of all live workers; 0 means that nobody works, and for how long nobody knows. */
  readonly slots: number;
  readonly workers: number;
  /** True while an operator has stopped the queue. */
  readonly stopped: boolean;
  /** For how long the other side takes nothing, in ms: its queue is paused, or its budget is used up. */
  readonly pausedMs: number;
  readonly service: ServiceTime;
  /** How many calls a minute the other side admits. Default: as many as the slots can make. */
  readonly requestsPerMinute?: number | undefined;
}

export interface Estimate {
  /** Requests before this one, those in work included. */
  readonly position: number;
  /** From now on, in ms; null where it cannot be told, as without a live worker. */
  readonly completion: { readonly waitMs: number; readonly p50Ms: number; readonly p95Ms: number } | null;
}

/** z of the 95th percentile of the normal distribution. */
const z95 = 1.645;

/**
 * When a request would be done that is submitted now, from what stands before it. Pure.
 *
 * A request has the same place in every queue, so that stage s has to do, before it comes to this one, all that waits
 * before it, is in work or is delayed at s **and at the stages before s**: N jobs. With c slots and m ms a run, a slot is
 * free for it when N - c + 1 of them are done, after (N - c + 1) · m / c; where the other side admits r calls a minute, not
 * before all that have not begun are admitted. A stage that has nothing to do yet begins when the first job reaches it. The
 * request starts each stage when a slot is free and its own stage before is done. For equal jobs this is the makespan of
 * a flow shop: the bottleneck's queue and the times of all stages once (Conway, Maxwell, Miller: Theory of Scheduling, 1967).
 *
 * The median is taken to be the mean. The 95th percentile adds 1.645 standard deviations: those of the request's own
 * runs, and of the queue that it waits in longest, where n departures from c slots vary by n · sd² / c², so that
 * little of it is left, relatively, in a long queue. Not in it: requests that come later and go before, failed attempts,
 * and, to the safe side, that jobs in work may be nearly done and may be overtaken at a later stage.
 */
export function estimate(loads: readonly StageLoad[]): Estimate {
  const position = loads.reduce((sum, load) => sum + jobsBefore(load), 0);
  if (loads.some(({ slots, stopped }) => slots === 0 || stopped)) return { position, completion: null };
  let before = 0;
  let reachedMs = 0;
  let doneMs = 0;
  let ownMs = 0;
  let ownVariance = 0;
  let longest = { ms: 0, variance: 0 };
  for (const load of loads) {
    const { meanMs, sdMs } = load.service;
    before += jobsBefore(load);
    if (jobsBefore(load) > 0) reachedMs = 0;
    const queue = workOff(load, before);
    const freeMs = load.pausedMs + (queue.ms > 0 ? reachedMs + queue.ms : 0);
    if (queue.ms > longest.ms) longest = queue;
    doneMs = Math.max(doneMs, freeMs) + meanMs;
    ownMs += meanMs;
    ownVariance += sdMs ** 2;
    reachedMs += meanMs;
  }
  const p95Ms = doneMs + z95 * Math.sqrt(ownVariance + longest.variance);
  return { position, completion: { waitMs: doneMs - ownMs, p50Ms: doneMs, p95Ms } };
}

function jobsBefore({ waiting, active, delayed }: StageLoad): number {
  return waiting + active + delayed;
}

/** Until a slot of the stage is free, when `before` jobs are to be worked off. */
function workOff(load: StageLoad, before: number): { ms: number; variance: number } {
  const { slots, active, requestsPerMinute } = load;
  const { meanMs, sdMs, workShare } = load.service;
  const departures = Math.max(0, before - slots + 1);
  const occupiedMs = workShare * meanMs;
  const variance = workShare * (sdMs ** 2 + meanMs ** 2) - occupiedMs ** 2;
  const toAdmit = (before - active) * workShare;
  const admittedMs = requestsPerMinute === undefined ? 0 : (toAdmit * 60_000) / requestsPerMinute;
  return {
    ms: Math.max((departures * occupiedMs) / slots, admittedMs),
    variance: (departures * variance) / slots ** 2,
  };
}

/** A stage's runs by duration, in the classes of the daily statistics, the last being longer than all; and those from a cache. */
export interface DurationCounts {
  readonly runs: readonly number[];
  readonly cached: number;
}

/** Fewer runs than this say too little. */
const enoughRuns = 20;

/** For a stage that has not been seen at work: what its usual model takes. */
const usualMs: Record<StageName, number> = {
  preprocess: 300,
  vision: 4_000,
  'vision.local': 500,
  rag: 50,
  llm: 1_500,
};

/** What is assumed of a stage before it has been measured: its usual time, half of it as deviation, and no cache. */
export function usualService(stage: StageName): ServiceTime {
  return { meanMs: usualMs[stage], sdMs: usualMs[stage] / 2, workShare: 1 };
}

/**
 * From counted durations, each taken for the middle of its class; null for fewer than 20. A run beyond the last class
 * is counted with the stage's time-out.
 */
export function serviceOf(stage: StageName, { runs, cached }: DurationCounts): ServiceTime | null {
  const total = runs.reduce((sum, count) => sum + count, 0);
  if (total < enoughRuns) return null;
  const classes = runs.map((count, i) => {
    const from = durationClassesMs[i - 1] ?? 0;
    const to = durationClassesMs[i] ?? Math.max(from, stages[stage].timeoutMs);
    // Within a class durations are spread evenly: its variance is a twelfth of its width squared.
    return { count, middle: (from + to) / 2, spread: (to - from) ** 2 / 12 };
  });
  const meanMs = classes.reduce((sum, { count, middle }) => sum + count * middle, 0) / total;
  const squares = classes.reduce(
    (sum, { count, middle, spread }) => sum + count * ((middle - meanMs) ** 2 + spread),
    0,
  );
  return { meanMs, sdMs: Math.sqrt(squares / total), workShare: total / (total + cached) };
}
