import { finalStage, stageOrder, type UsualStage } from '@bunri/queue-contracts';

/** One transition of a request's record, as a worker would make it. */
export interface Step {
  readonly act: 'start' | 'delta' | 'finish';
  readonly stage: UsualStage;
  /** How many events it writes. */
  readonly events: number;
}

/** The life of a request from its acceptance to its end, its answer told in so many pieces. */
export function journeyOf(pieces: number): Step[] {
  return stageOrder.flatMap((stage): Step[] => {
    const final = stage === finalStage;
    const deltas = Array.from({ length: final ? pieces : 0 }, (): Step => ({ act: 'delta', stage, events: 1 }));
    // The last stage's result ends the request, which is an event of its own.
    return [{ act: 'start', stage, events: 1 }, ...deltas, { act: 'finish', stage, events: final ? 2 : 1 }];
  });
}

/** Events of such a life, `accepted` included: the seq of the last one. */
export function eventsOf(journey: readonly Step[]): number {
  return journey.reduce((sum, { events }) => sum + events, 1);
}

/** Whose turn it is: each of `count` requests as often as it has steps, in random order. */
export function shuffledTurns(count: number, steps: number, random: () => number): Int32Array {
  const turns = Int32Array.from({ length: count * steps }, (_, i) => i % count);
  for (let i = turns.length - 1; i > 0; i -= 1) {
    const other = Math.floor(random() * (i + 1));
    [turns[i], turns[other]] = [turns[other] ?? 0, turns[i] ?? 0];
  }
  return turns;
}

/** What one listener has seen of its request: when each event arrived, by seq − 1, NaN for one that has not. */
export interface Heard {
  readonly request: number;
  readonly arrivedAt: Float64Array;
  /** Events that were not the next one: repeated, skipped to, or out of order. */
  readonly astray: number;
}

/** From writing an event to each of its arrivals, and how many arrivals there should have been that were not. */
export function deliveries(
  sentAt: readonly Float64Array[],
  heard: readonly Heard[],
): { readonly latencies: number[]; readonly missing: number; readonly astray: number } {
  const latencies: number[] = [];
  let missing = 0;
  for (const { request, arrivedAt } of heard) {
    for (const [i, arrived] of arrivedAt.entries()) {
      const sent = sentAt[request]?.[i] ?? Number.NaN;
      if (Number.isNaN(arrived)) missing += 1;
      else if (!Number.isNaN(sent)) latencies.push(arrived - sent);
    }
  }
  return { latencies, missing, astray: heard.reduce((sum, { astray }) => sum + astray, 0) };
}

/** Milliseconds of a clock that all processes of a machine share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
