import { expect, test } from '@jest/globals';
import { seededRandom } from '@bunri/testkit';
import { burst, batchBeside, steady } from './simulation-arrivals.ts';
import { plansFor, readSettings } from './simulation-settings.ts';
import type { StagePlan } from './simulation-stage.ts';
import { summarise } from './simulation-summary.ts';
import { simulate, type Ended } from './simulation.ts';

const hourMs = 3_600_000;
const { number } = readSettings();
const placement = (limits = {}) => plansFor(5, { number, limits });
const one = (plan: Partial<StagePlan>): StagePlan[] => [
  { stage: 'vision', slots: 1, processes: 1, runMs: { from: 1_000, to: 1_000 }, ...plan },
];
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const waits = (ended: readonly Ended[]) => ended.map(({ waitedMs }) => waitedMs);

test.each([
  ['equal runs (M/D/1)', { from: 1_000, to: 1_000 }],
  ['runs of every length up to twice the mean (M/G/1)', { from: 0, to: 2_000 }],
])('one slot with %s makes wait as long as Pollaczek and Khinchine say', (_name, runMs) => {
  const random = seededRandom(7);
  const arrivals = steady(random, { perMinute: 42, lengthMs: 15 * hourMs }).map((arrival) => ({
    ...arrival,
    deadlineMs: Infinity,
  }));
  const { ended } = simulate({ stages: one({ runMs }), arrivals, random, refuses: false });
  const [perMs, use] = [42 / 60_000, 0.7];
  const secondMoment = (runMs.to ** 3 - runMs.from ** 3) / (3 * (runMs.to - runMs.from)) || runMs.from ** 2;
  const expected = (perMs * secondMoment) / (2 * (1 - use));
  expect(mean(waits(ended)) / expected).toBeCloseTo(1, 1);
});

test('slots are in use as often as rate and length of runs say, and in the system are as many as Little says', () => {
  const random = seededRandom(3);
  const [fromMs, toMs] = [0, hourMs / 3];
  const arrivals = steady(random, { perMinute: 300, lengthMs: toMs });
  const result = simulate({ stages: one({ slots: 8 }), arrivals, random, window: { fromMs, toMs }, refuses: false });
  const [use] = result.use;
  // But for what is still in work at the end.
  expect((use?.busyMs ?? 0) / 8 / toMs).toBeCloseTo(arrivals.length / toMs / (8 / 1_000), 2);
  // Looked at every 1.3 s, against the rate times the time that each is there.
  const looks = Array.from({ length: Math.floor(toMs / 1_300) }, (_, n) => n * 1_300);
  const sorted = (times: number[]) => times.toSorted((a, b) => a - b);
  const [came, left] = [
    sorted(result.ended.map(({ arrival }) => arrival.atMs)),
    sorted(result.ended.map(({ endedAt }) => endedAt)),
  ];
  const inSystem = mean(looks.map((at) => countUpTo(came, at) - countUpTo(left, at)));
  const stay = mean(result.ended.map(({ arrival, endedAt }) => endedAt - arrival.atMs));
  expect(inSystem / ((arrivals.length / toMs) * stay)).toBeCloseTo(1, 1);
});

function countUpTo(sorted: readonly number[], at: number): number {
  const after = sorted.findIndex((time) => time > at);
  return after === -1 ? sorted.length : after;
}

test('the slots of the two-node placement answer 1,200 a minute, and llm is the bottleneck', () => {
  const [random, fromMs, toMs] = [seededRandom(1), 60_000, 660_000];
  const arrivals = burst(16_000).map((arrival) => ({ ...arrival, deadlineMs: hourMs }));
  const result = simulate({ stages: placement(), arrivals, random, refuses: false, window: { fromMs, toMs } });
  const { answeredPerMinute, bottleneck, uses } = summarise(result, { fromMs, toMs, priority: 'interactive' });
  expect(answeredPerMinute / 1_200).toBeCloseTo(1, 2);
  expect(bottleneck).toBe('llm slots');
  expect(uses.find(({ what }) => what === 'llm slots')?.share).toBeGreaterThan(0.99);
});

test('a limit of the provider is never exceeded, however many pods wait for it, and is used up', () => {
  const calls: number[] = [];
  const random = seededRandom(2);
  simulate({
    stages: plansFor(20, { number, limits: { vision: { requestsPerMinute: 300 } } }),
    arrivals: steady(random, { perMinute: 600, lengthMs: 300_000 }),
    random,
    onCall: (stage, atMs) => (stage === 'vision' ? calls.push(atMs) : undefined),
  });
  const sorted = calls.toSorted((a, b) => a - b);
  const most = Math.max(...sorted.map((from, n) => countUpTo(sorted.slice(n), from + 60_000)));
  // Five seconds of the limit are saved up at the start; a level of zero admits one.
  expect(most).toBeLessThanOrEqual(300 + 25 + 1);
  expect(countUpTo(sorted, 300_000)).toBeGreaterThan(0.97 * 1_500);
});

test('the same seed gives the same result, another seed another', () => {
  const runWith = (seed: number) => {
    const random = seededRandom(seed);
    const arrivals = steady(random, { perMinute: 1_100, lengthMs: 60_000 });
    return simulate({ stages: placement(), arrivals, random });
  };
  expect(runWith(5)).toEqual(runWith(5));
  expect(runWith(5)).not.toEqual(runWith(6));
});

test('interactive requests do not wait for a batch that came before them', () => {
  const random = seededRandom(4);
  const arrivals = batchBeside(random, { count: 2_000, perMinute: 300, lengthMs: 120_000 });
  const { ended } = simulate({ stages: placement(), arrivals, random });
  const of = (wanted: string) => mean(waits(ended.filter(({ arrival }) => arrival.priority === wanted)));
  expect(ended).toHaveLength(arrivals.length);
  expect(of('interactive')).toBeLessThan(1_000);
  expect(of('batch')).toBeGreaterThan(30_000);
});

test('what the forecast accepts is answered in time, and what it refuses would have been late', () => {
  const arrivals = () => steady(seededRandom(9), { perMinute: 600, lengthMs: 600_000 });
  const shares = (refuses: boolean) => {
    const result = simulate({
      stages: plansFor(1, { number, limits: {} }),
      arrivals: arrivals(),
      random: seededRandom(9),
      refuses,
    });
    return summarise(result, { fromMs: 0, toMs: 600_000, priority: 'interactive' });
  };
  const [open, guarded] = [shares(false), shares(true)];
  expect(open.lateShare).toBeGreaterThan(0.3);
  expect(guarded.lateShare).toBeLessThan(0.1);
  expect(guarded.refusedShare + guarded.lateShare).toBeLessThan(open.lateShare + 0.1);
});

test('a setting that is unknown or no number is refused by name', () => {
  expect(() => readSettings({ rpm: '5' })).toThrow(/no such setting: rpm; there are seed, pods/);
  expect(() => readSettings({ rate: 'many' })).toThrow(/rate must be a number above 0, not many/);
  expect(readSettings({ llm_rpm: '50' }).limits.map(({ name }) => name)).toEqual(['none', 'as set']);
});

test('who is refused by a budget is overtaken by few, whether each has an owner of its own or one has all', () => {
  const overtaken = (owner: (n: number) => string) => {
    const arrivals = burst(300).map((arrival, n) => ({ ...arrival, atMs: n, owner: owner(n) }));
    const stages = one({ slots: 20, runMs: { from: 200, to: 200 }, limits: { requestsPerMinute: 600 }, askMs: 10 });
    const { ended } = simulate({ stages, arrivals, random: seededRandom(1), refuses: false });
    return Math.max(...ended.map(({ arrival }, place) => place - arrival.atMs));
  };
  expect(overtaken((n) => `owner-${n}`)).toBeLessThan(20);
  expect(overtaken(() => 'the only one')).toBeLessThan(20);
});
