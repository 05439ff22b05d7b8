import { stageNames, type FailureCode } from '@bunri/queue-contracts';
import type { CallKind, CallLogEntry } from '@bunri/testkit';

/** One event of a request as a stream told it. `stage` is null where the event is of no stage. */
export interface ToldEvent {
  readonly seq: number;
  readonly type: string;
  readonly stage: string | null;
}

/** What the api says about an accepted request when everything is over. */
export type Ending =
  | { readonly kind: 'completed' | 'canceled' }
  | { readonly kind: 'failed'; readonly code: string }
  /** 410 with a problem code: the service says that it has lost the request. */
  | { readonly kind: 'gone'; readonly code: string }
  /** `overdue`: past its deadline by more than the service may take to notice. */
  | { readonly kind: 'open'; readonly overdue: boolean }
  /** 404: the service denies what it had promised. */
  | { readonly kind: 'unknown' };

/** One accepted request, seen from outside. Times are epoch milliseconds. */
export interface Observed {
  readonly id: string;
  /** The idempotency key it was sent with. */
  readonly key: string;
  /** Equal for the same photo with the same question. */
  readonly work: string;
  readonly submittedAt: number;
  readonly acceptedAt: number;
  /** When its client saw the end; null while it has seen none. */
  readonly endedAt: number | null;
  readonly ending: Ending;
  /** The events in the order in which its client was told them, over all its connections. */
  readonly live: readonly ToldEvent[];
  /** The whole stream, read from the start once everything was over: by the api, and as it is stored. */
  readonly streams: readonly (readonly ToldEvent[])[];
  /** Stages that have their result, as the record says. */
  readonly finished: readonly string[];
  /** Stages that were answered without a model: by the rules alone. */
  readonly byRules: readonly string[];
  /** How often each stage was started, as the record counts it. */
  readonly attempts: Readonly<Record<string, number>>;
}

export interface Tally {
  readonly accepted: number;
  readonly completed: number;
  /** Completed with an answer from the rules alone, since no model could be asked. */
  readonly degraded: number;
  readonly canceled: number;
  readonly failed: Readonly<Partial<Record<FailureCode, number>>>;
  readonly gone: number;
  /** Open, and within its deadline still. */
  readonly open: number;
  readonly lost: readonly string[];
  readonly answeredTwice: number;
  /** Requests whose events have a gap, a repetition or no end. */
  readonly brokenStreams: readonly string[];
  /** Idempotency keys under which more than one request was accepted. */
  readonly doubledKeys: readonly string[];
  readonly calls: CallTally;
}

export interface CallTally {
  readonly made: number;
  readonly needed: number;
  /** At the moments of the fault, of the kinds that it can cut off. */
  readonly inFlight: number;
}

export interface CallFacts {
  readonly calls: readonly CallLogEntry[];
  /** When the fault struck, epoch milliseconds. */
  readonly moments: readonly number[];
  /** The kinds of calls that are cut off by the fault, so that they may have to be made again. */
  readonly cutsOff: readonly CallKind[];
}

const terminalTypes = new Set(['completed', 'failed', 'canceled']);

export function tally(observed: readonly Observed[], facts: CallFacts, codes: readonly string[]): Tally {
  const endings = observed.map(({ ending }) => ending);
  const count = (kind: Ending['kind']) => endings.filter((ending) => ending.kind === kind).length;
  const failed: Record<string, number> = {};
  for (const ending of endings) {
    if (ending.kind === 'failed' && codes.includes(ending.code)) failed[ending.code] = (failed[ending.code] ?? 0) + 1;
  }
  return {
    accepted: observed.length,
    completed: count('completed'),
    degraded: observed.filter(({ ending, byRules }) => ending.kind === 'completed' && byRules.length > 0).length,
    canceled: count('canceled'),
    failed,
    gone: count('gone'),
    open: endings.filter((ending) => ending.kind === 'open' && !ending.overdue).length,
    lost: observed.filter(({ ending }) => isLost(ending, codes)).map(({ id }) => id),
    answeredTwice: observed.reduce((sum, request) => sum + excessAnswers(request), 0),
    brokenStreams: observed.filter(hasBrokenStream).map(({ id }) => id),
    doubledKeys: doubled(observed.map(({ key }) => key)),
    calls: tallyCalls(observed, facts),
  };
}

function isLost(ending: Ending, codes: readonly string[]): boolean {
  switch (ending.kind) {
    case 'completed':
    case 'canceled':
      return false;
    case 'failed':
      return !codes.includes(ending.code);
    case 'gone':
      return ending.code === '';
    case 'open':
      return ending.overdue;
    case 'unknown':
      return true;
  }
}

/** Ends beyond the first, and completions of a stage beyond its first, in whichever reading shows the most. */
function excessAnswers({ live, streams }: Observed): number {
  const excess = (events: readonly ToldEvent[]) => {
    const ends = events.filter(({ type }) => terminalTypes.has(type)).length;
    const completions = events.filter(({ type }) => type === 'stage.completed');
    const repeated = stageNames.map((name) => completions.filter(({ stage }) => stage === name).length);
    return [ends, ...repeated].reduce((sum, n) => sum + Math.max(0, n - 1), 0);
  };
  return Math.max(...[live, ...streams].map(excess));
}

function hasBrokenStream({ ending, live, streams }: Observed): boolean {
  const inOrder = (events: readonly ToldEvent[]) => events.every(({ seq }, i) => seq === i + 1);
  if (!inOrder(live) || !streams.every(inOrder)) return true;
  const hasEnded = ['completed', 'failed', 'canceled'].includes(ending.kind);
  return hasEnded && streams.some((events) => !terminalTypes.has(events.at(-1)?.type ?? ''));
}

function doubled(values: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].filter(([, n]) => n > 1).map(([value]) => value);
}

/** Those that call a model. */
const paidStages = ['vision', 'llm'];

/**
 * What was paid for, against what had to be. Needed is one call for each distinct work and stage that came to a result,
 * also of a request that failed later on; what two requests shared, or a cache served, is needed once. Made is every call
 * that the simulator began to serve, answered or not, but for those that it failed itself by an injected fault.
 */
function tallyCalls(observed: readonly Observed[], { calls, moments, cutsOff }: CallFacts): CallTally {
  const paid = calls.filter(({ fault }) => fault === null || fault === 'slow');
  const results = new Set<string>();
  for (const { work, finished, byRules, live, streams } of observed) {
    const told = [live, ...streams].flat().filter(({ type }) => type === 'stage.completed');
    const stages = new Set([...finished, ...told.map(({ stage }) => stage)]);
    for (const stage of paidStages) if (stages.has(stage) && !byRules.includes(stage)) results.add(`${stage} ${work}`);
  }
  const cut = paid.filter(({ kind }) => kind !== null && cutsOff.includes(kind));
  return {
    made: paid.length,
    needed: results.size,
    inFlight: cut.filter((call) => moments.some((moment) => isInFlight(call, moment))).length,
  };
}

/** What was sent before the moment may arrive at the simulator a little later, on a machine that is busy. */
const arrivalMs = 250;
/** What was answered this shortly before the moment may not have been written into the record yet. */
const writingMs = 100;

export function isInFlight({ at, durationMs }: CallLogEntry, moment: number): boolean {
  return at <= moment + arrivalMs && (durationMs === null || at + durationMs > moment - writingMs);
}

/**
 * Seconds from the end of the fault until every request accepted before has ended and one submitted afterwards has
 * completed, as their clients saw it; null while that is not so.
 */
export function secondsToRecover(
  observed: readonly Pick<Observed, 'submittedAt' | 'acceptedAt' | 'endedAt' | 'live'>[],
  liftedAt: number,
): number | null {
  const before = observed.filter(({ acceptedAt }) => acceptedAt < liftedAt).map(({ endedAt }) => endedAt);
  const after = observed
    .filter(({ submittedAt, live }) => submittedAt >= liftedAt && live.at(-1)?.type === 'completed')
    .flatMap(({ endedAt }) => (endedAt === null ? [] : [endedAt]));
  if (after.length === 0 || before.includes(null)) return null;
  const ends = before.filter((endedAt) => endedAt !== null);
  return Math.max(0, Math.max(Math.min(...after), ...ends) - liftedAt) / 1000;
}
