import { priorityAfterTaken, type StageName } from '@bunri/queue-contracts';
import type { ModelLimits, StageLoad } from '@bunri/runtime';
import type { Arrival } from './simulation-arrivals.ts';
import { createSimulatedBudget } from './simulation-bucket.ts';
import { createHeap } from './simulation-heap.ts';
import type { Random } from './simulation-random.ts';

/** A stage as it is simulated: so many slots, runs of a time between two, each as likely. */
export interface StagePlan {
  readonly stage: StageName;
  readonly slots: number;
  /** That the slots are in; each takes one job a millisecond, when there is a line. */
  readonly processes: number;
  readonly runMs: { readonly from: number; readonly to: number };
  /** What the provider of its model admits. */
  readonly limits?: ModelLimits | undefined;
  /** Of each call. */
  readonly tokens?: number;
  /** From taking a job to asking its model's budget, ms: the record's script and the look into the cache. Default 0. */
  readonly askMs?: number;
}

/** A request on its way, with one place in all queues. */
export interface Job {
  readonly arrival: Arrival;
  readonly turn: number;
  readonly priority: number;
  readonly deadlineAt: number;
  /** In work so far, without waits of any kind. */
  workedMs: number;
}

/** The time that is simulated, ms from 0. What is due at the same time happens in the order in which it was asked for. */
export function createClock() {
  const events = createHeap<() => void>();
  let now = 0;
  return {
    now: () => now,
    at(dueAt: number, happen: () => void): void {
      events.push(dueAt, happen);
    },
    /** Until nothing is due any more. */
    run(): void {
      while (events.size > 0) {
        now = events.firstKey();
        events.pop()?.();
      }
    },
  };
}
export type Clock = ReturnType<typeof createClock>;

export interface StageEnds {
  taken(job: Job): void;
  done(job: Job): void;
  /** Its deadline passed, before it was taken or in work. */
  late(job: Job): void;
}

export interface StageDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly ends: StageEnds;
  /** Of each call that is made, with its time. */
  readonly onCall?: ((stage: StageName, atMs: number) => void) | undefined;
  /** What counts for `use`. */
  readonly window: { readonly fromMs: number; readonly toMs: number };
}

/** What was used of a stage within the window. */
export interface StageUse {
  readonly plan: StagePlan;
  readonly busyMs: number;
  readonly calls: number;
  /** Jobs that were taken, refused by the budget and put back. */
  readonly putBack: number;
}

export type SimulatedStage = ReturnType<typeof createStage>;

/** A queue and its slots, as BullMQ and the workers work it off: by priority, then first in, first out. */
export function createStage(plan: StagePlan, { clock, random, ends, onCall, window }: StageDeps) {
  const { stage, slots, limits = {}, tokens = 0, runMs, askMs = 0 } = plan;
  const queue = createHeap<Job>();
  const budget = createSimulatedBudget(limits);
  const mayTake = createPace(clock, plan.processes, take);
  let [busy, delayed, pausedUntil, busyMs, calls, putBack] = [0, 0, 0, 0, 0, 0];
  const counts = (at: number) => at >= window.fromMs && at < window.toMs;

  function put(job: Job): void {
    queue.push(job.priority, job);
    take();
  }

  function take(): void {
    while (busy < slots && queue.size > 0 && clock.now() >= pausedUntil && mayTake()) {
      const job = queue.pop();
      if (!job) return;
      if (job.deadlineAt <= clock.now()) ends.late(job);
      else begin(job);
    }
  }

  function begin(job: Job): void {
    const takenAt = clock.now();
    busy += 1;
    ends.taken(job);
    if (askMs > 0) clock.at(takenAt + askMs, () => ask(job, takenAt));
    else ask(job, takenAt);
  }

  function ask(job: Job, takenAt: number): void {
    const { admitted, waitMs } = budget.admit(clock.now(), tokens);
    if (!admitted) {
      release(takenAt);
      pause(job, waitMs);
      return;
    }
    const calledAt = clock.now() + waitMs;
    if (counts(calledAt)) calls += 1;
    onCall?.(stage, calledAt);
    const workMs = runMs.from + (runMs.to - runMs.from) * random();
    clock.at(Math.min(calledAt + workMs, job.deadlineAt), () => {
      release(takenAt);
      job.workedMs += workMs;
      if (clock.now() >= job.deadlineAt) ends.late(job);
      else ends.done(job);
      take();
    });
  }

  function release(takenAt: number): void {
    busy -= 1;
    busyMs += Math.max(0, Math.min(clock.now(), window.toMs) - Math.max(takenAt, window.fromMs));
  }

  /** The queue waits for the budget, as long as the longest wait; the job goes back as a delayed one, before its equals. */
  function pause(job: Job, waitMs: number): void {
    // Up to a tenth more than asked, as the workers do it.
    const endsAt = clock.now() + Math.ceil(waitMs * (1 + random() / 10));
    pausedUntil = Math.max(pausedUntil, endsAt);
    delayed += 1;
    if (counts(clock.now())) putBack += 1;
    clock.at(endsAt, () => {
      delayed -= 1;
      queue.push(priorityAfterTaken(job.priority), job);
      take();
    });
  }

  return {
    put,
    /** How many of those that wait would be taken before one of this priority that is put in now. */
    waitingBefore: (priority: number) => queue.countUpTo(priority),
    /** For the product's own estimate, with all that waits. */
    load(): StageLoad {
      const { from, to } = runMs;
      return {
        stage,
        waiting: queue.size,
        active: busy,
        delayed,
        slots,
        workers: 1,
        stopped: false,
        pausedMs: Math.max(0, pausedUntil - clock.now(), budget.debtMs(clock.now())),
        service: { meanMs: (from + to) / 2, sdMs: (to - from) / Math.sqrt(12), workShare: 1 },
        requestsPerMinute: callsPerMinute(limits, tokens),
      };
    },
    use: (): StageUse => ({ plan, busyMs, calls, putBack }),
  };
}

function callsPerMinute({ requestsPerMinute, tokensPerMinute }: ModelLimits, tokens: number): number | undefined {
  const byTokens = tokensPerMinute !== undefined && tokens > 0 ? tokensPerMinute / tokens : Infinity;
  const calls = Math.min(requestsPerMinute ?? Infinity, byTokens);
  return calls === Infinity ? undefined : calls;
}

/** Each process asks for its next job when it has the last one: about a millisecond later. Goes on by itself. */
function createPace(clock: Clock, processes: number, goOn: () => void): () => boolean {
  let [at, taken, goesOnAt] = [-1, 0, -1];
  return () => {
    const now = clock.now();
    if (now !== at) taken = 0;
    at = now;
    taken += 1;
    if (taken <= processes) return true;
    if (goesOnAt <= now) {
      goesOnAt = now + 1;
      clock.at(goesOnAt, goOn);
    }
    return false;
  };
}
