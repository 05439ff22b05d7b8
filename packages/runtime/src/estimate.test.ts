import { describe, expect, test } from '@jest/globals';
import { stageOrder, type UsualStage } from '@bunri/queue-contracts';
import { estimate, serviceOf, usualService, type StageLoad } from './estimate.ts';
import { durationClassesMs } from './statistics.ts';

/** Stages that always take the same time: 0.3, 4, 0.05 and 1.5 s, with the slots of the two-node placement. */
const placement: Record<UsualStage, { slots: number; meanMs: number }> = {
  preprocess: { slots: 24, meanMs: 300 },
  vision: { slots: 100, meanMs: 4_000 },
  rag: { slots: 8, meanMs: 50 },
  llm: { slots: 30, meanMs: 1_500 },
};
const idleMs = 5_850;

type Changes = Partial<Omit<StageLoad, 'stage' | 'service'>> & Partial<StageLoad['service']>;

function pipeline(changes: Partial<Record<UsualStage, Changes>> = {}): StageLoad[] {
  return stageOrder.map((stage) => {
    const { meanMs = placement[stage].meanMs, sdMs = 0, workShare = 1, ...load } = changes[stage] ?? {};
    return {
      stage,
      waiting: 0,
      active: 0,
      delayed: 0,
      slots: placement[stage].slots,
      workers: 1,
      stopped: false,
      pausedMs: 0,
      service: { meanMs, sdMs, workShare },
      ...load,
    };
  });
}

const cases: { name: string; of: Partial<Record<UsualStage, Changes>>; position: number; p50Ms: number }[] = [
  { name: 'nothing to do: the stages’ own times', of: {}, position: 0, p50Ms: idleMs },
  {
    name: 'work that leaves a slot free makes nobody wait',
    of: { vision: { active: 29 } },
    position: 29,
    p50Ms: idleMs,
  },
  {
    name: 'a full stage with a line: what is before, less the slots, at the rate of the slots',
    of: { vision: { active: 100, waiting: 400, slots: 100 }, llm: { slots: 1_000 } },
    position: 500,
    // 401 departures at 25 a second, then vision, rag and llm.
    p50Ms: (401 * 4_000) / 100 + 4_000 + 50 + 1_500,
  },
  {
    name: 'what waits for a stage before comes before the request at the bottleneck, too',
    of: { vision: { active: 100, waiting: 400 } },
    position: 500,
    // llm has nothing to do until vision has done its first; then 471 departures at 20 a second.
    p50Ms: 4_000 + 50 + (471 * 1_500) / 30 + 1_500,
  },
  {
    name: 'delayed jobs count as earlier',
    of: { llm: { delayed: 129 } },
    position: 129,
    p50Ms: (100 * 1_500) / 30 + 1_500,
  },
  {
    name: 'jobs at later stages are before it, but not in its way at earlier ones',
    of: { llm: { active: 30, waiting: 30 } },
    position: 60,
    p50Ms: idleMs,
  },
  {
    name: 'a pause is waited for',
    of: { vision: { pausedMs: 20_000 } },
    position: 0,
    p50Ms: 20_000 + 4_000 + 50 + 1_500,
  },
  {
    name: 'results from a cache hold no slot',
    of: { vision: { active: 100, waiting: 400, workShare: 0.25 }, llm: { slots: 1_000 } },
    position: 500,
    p50Ms: (401 * 1_000) / 100 + 4_000 + 50 + 1_500,
  },
  {
    name: 'what the other side admits bounds the rate, however many slots there are',
    of: { vision: { active: 50, waiting: 100, slots: 1_000, requestsPerMinute: 60 }, llm: { slots: 1_000 } },
    position: 150,
    p50Ms: 100_000 + 4_000 + 50 + 1_500,
  },
];

test.each(cases)('$name', ({ of, position, p50Ms }) => {
  const found = estimate(pipeline(of));
  expect(found.position).toBe(position);
  expect(found.completion?.p50Ms).toBeCloseTo(p50Ms, 6);
  expect(found.completion?.waitMs).toBeCloseTo(p50Ms - idleMs, 6);
});

test('for equal jobs and one slot a stage it is the makespan of a flow shop', () => {
  const one = { slots: 1 };
  const loads = pipeline({ preprocess: { ...one, waiting: 50 }, vision: one, rag: one, llm: one });
  // 51 jobs through a bottleneck of 4 s, and once through everything else.
  expect(estimate(loads).completion?.p50Ms).toBe(51 * 4_000 + 300 + 50 + 1_500);
});

test.each([
  ['no live worker', { llm: { slots: 0 } }],
  ['a queue that an operator stopped', { rag: { stopped: true } }],
])('with %s the position is known and the time is not', (_name, of) => {
  expect(estimate(pipeline({ vision: { waiting: 7 }, ...of }))).toEqual({ position: 7, completion: null });
});

describe('the 95th percentile', () => {
  const spread = { vision: { sdMs: 1_000 }, llm: { sdMs: 500 } };

  test('of an idle system is that of the request’s own runs', () => {
    const { p95Ms } = estimate(pipeline(spread)).completion ?? {};
    expect(p95Ms).toBeCloseTo(idleMs + 1.645 * Math.hypot(1_000, 500), 6);
  });

  test('is the median where nothing varies', () => {
    const { p50Ms, p95Ms } = estimate(pipeline({ vision: { active: 100, waiting: 400 } })).completion ?? {};
    expect(p95Ms).toBe(p50Ms);
  });

  test('lies ever closer to the median, relatively, the longer the line is', () => {
    const ratios = [0, 100, 1_000, 10_000].map((waiting) => {
      const { p50Ms, p95Ms } = estimate(pipeline({ ...spread, vision: { sdMs: 1_000, waiting } })).completion ?? {};
      return (p95Ms ?? 0) / (p50Ms ?? 1);
    });
    expect(ratios).toEqual(ratios.toSorted((a, b) => b - a));
    expect(ratios[0]).toBeGreaterThan(1.3);
    expect(ratios[3]).toBeLessThan(1.01);
  });
});

describe('the time of a stage', () => {
  const runs = (of: Record<number, number>) => [...durationClassesMs, 0].map((ms) => of[ms] ?? 0);

  test('is the middle of the classes that were counted', () => {
    const service = serviceOf('vision', { runs: runs({ 4_000: 15, 5_000: 15 }), cached: 10 });
    expect(service).toMatchObject({ meanMs: 4_000, workShare: 0.75 });
    // Evenly spread over two seconds.
    expect(service?.sdMs).toBeCloseTo(2_000 / Math.sqrt(12), 6);
  });

  test('takes what was longer than every class for the time-out', () => {
    expect(serviceOf('vision', { runs: runs({ 0: 20 }), cached: 0 })?.meanMs).toBe(45_000);
  });

  test('is not told from fewer than 20 runs, whatever the cache gave; then the usual one holds', () => {
    expect(serviceOf('vision', { runs: runs({ 4_000: 19 }), cached: 1_000 })).toBeNull();
    expect(stageOrder.map((stage) => usualService(stage).meanMs)).toEqual([300, 4_000, 50, 1_500]);
  });
});
