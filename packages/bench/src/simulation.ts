import { priorityOf, type Request, type StageName } from '@bunri/queue-contracts';
import { estimate, type Estimate, type StageLoad } from '@bunri/runtime';
import type { Arrival } from './simulation-arrivals.ts';
import type { Random } from './simulation-random.ts';
import {
  createClock,
  createStage,
  type Job,
  type SimulatedStage,
  type StagePlan,
  type StageUse,
} from './simulation-stage.ts';

type PriorityClass = Request['priority'];

export interface SimulationOptions {
  /** In the order in which a request passes them. */
  readonly stages: readonly StagePlan[];
  /** In the order of their times. */
  readonly arrivals: readonly Arrival[];
  readonly random: Random;
  /** Whether the api refuses what it expects to be late. Default true. */
  readonly refuses?: boolean;
  /** What counts for the use of the stages. Default: all of it. */
  readonly window?: { readonly fromMs: number; readonly toMs: number };
  /** Of each call that is made, with its time. */
  readonly onCall?: (stage: StageName, atMs: number) => void;
}

/** How a request ended. */
export interface Ended {
  readonly arrival: Arrival;
  readonly outcome: 'answered' | 'late' | 'refused';
  readonly endedAt: number;
  /** From its submission on, without the time in which a stage worked on it. */
  readonly waitedMs: number;
}

export interface SimulationResult {
  readonly ended: readonly Ended[];
  readonly use: readonly StageUse[];
}

/**
 * A discrete-event simulation of the pipeline: what is submitted, queued, taken, admitted and ended happens in an order of
 * simulated times, and nothing else takes time. Places in the queues, turns, the estimate and what it refuses, and the
 * models' budgets are the product's. Pure: the same options, with a generator of the same seed, give the same result.
 */
export function simulate(options: SimulationOptions): SimulationResult {
  const { arrivals, random, refuses = true, window = { fromMs: 0, toMs: Infinity }, onCall } = options;
  const clock = createClock();
  const turns = createTurns();
  const ended: Ended[] = [];
  let open = 0;

  const end = (job: Job, outcome: Ended['outcome']) => {
    open -= 1;
    const waitedMs = clock.now() - job.arrival.atMs - job.workedMs;
    ended.push({ arrival: job.arrival, outcome, endedAt: clock.now(), waitedMs });
  };
  const stages: SimulatedStage[] = options.stages.map((plan, i) =>
    createStage(plan, {
      clock,
      random,
      window,
      onCall,
      ends: {
        taken: (job) => (i === options.stages.length - 1 ? turns.reach(job) : undefined),
        done: (job) => (stages[i + 1] ? stages[i + 1]?.put(job) : end(job, 'answered')),
        late: (job) => end(job, 'late'),
      },
    }),
  );

  const isRefused = createRefusal(stages, clock.now);

  function submit(arrival: Arrival): void {
    const { owner, priority: priorityClass, deadlineMs } = arrival;
    if (open === 0) turns.reset();
    const turn = turns.next(owner, priorityClass);
    const priority = priorityOf(priorityClass, turn);
    if (refuses && isRefused(priority, arrival)) {
      ended.push({ arrival, outcome: 'refused', endedAt: clock.now(), waitedMs: 0 });
      return;
    }
    turns.take(owner, priorityClass, turn);
    open += 1;
    stages[0]?.put({ arrival, turn, priority, deadlineAt: clock.now() + deadlineMs, workedMs: 0 });
  }

  // One at a time: an event for each of them would make every other event's place in the heap dearer to find.
  const next = (n: number) => {
    const arrival = arrivals[n];
    if (!arrival) return;
    clock.at(arrival.atMs, () => {
      next(n + 1);
      submit(arrival);
    });
  };
  next(0);
  clock.run();
  return { ended, use: stages.map((stage) => stage.use()) };
}

/** Start-time fair queueing, as the record's script gives out turns. */
function createTurns() {
  let reached = { interactive: 0, batch: 0 };
  const nextOf = new Map<string, number>();
  const next = (owner: string, of: PriorityClass) => Math.max(reached[of], nextOf.get(`${of}:${owner}`) ?? 0);
  return {
    next,
    take: (owner: string, of: PriorityClass, turn: number) => void nextOf.set(`${of}:${owner}`, turn + 1),
    reach({ arrival, turn }: Job): void {
      reached[arrival.priority] = Math.max(reached[arrival.priority], turn);
    },
    reset(): void {
      reached = { interactive: 0, batch: 0 };
      nextOf.clear();
    },
  };
}

/** A reading of the load serves for this long, however many ask: as at the api. */
const freshMs = 1_000;

/** As the api decides it: first by all that waits, and only where that is late by what would stand before this request. */
function createRefusal(stages: readonly SimulatedStage[], now: () => number) {
  let latest: { at: number; loads: StageLoad[] } | undefined;
  return (priority: number, { priority: of, deadlineMs }: Arrival): boolean => {
    if (!latest || now() - latest.at >= freshMs) latest = { at: now(), loads: stages.map((stage) => stage.load()) };
    const { loads } = latest;
    if (!isLate(estimate(loads), deadlineMs)) return false;
    const before = loads.map((load, i) => ({
      ...load,
      waiting: stages[i]?.waitingBefore(priority) ?? 0,
      delayed: of === 'interactive' ? Math.min(load.delayed, load.slots) : load.delayed,
    }));
    return isLate(estimate(before), deadlineMs);
  };
}

/** The api's rule: late because of the line, which is not so where an idle system would be late, too. */
function isLate({ completion }: Estimate, deadlineMs: number): boolean {
  if (completion === null || completion.p95Ms <= deadlineMs || completion.waitMs < 1) return false;
  return completion.p95Ms - completion.waitMs <= deadlineMs || completion.waitMs > deadlineMs / 2;
}
