import type { AppName } from '@bunri/cli/system';
import { percentile } from './measure.ts';
import type { ProbesOf } from './probe-watch.ts';
import { alone, compare, type Figure } from './scenario.ts';
import type { Outcome } from './slots-user.ts';

/** What was seen while it was measured. */
export interface SlotsSample {
  /** Of all requests that were ever sent. */
  readonly outcomes: readonly Outcome[];
  /** Epoch milliseconds. */
  readonly window: { readonly from: number; readonly to: number };
  readonly processes: readonly ProcessSample[];
  /** The most that all workers had together at one moment, bytes. */
  readonly workersPeakPss: number;
  /** Of each process. */
  readonly probes: readonly (ProbesOf & { readonly app: AppName })[];
  /** What the placement can complete in a minute at most. */
  readonly slotLimit: number;
  readonly redis: { readonly connections: number; readonly bytes: number };
  readonly modelCalls: { readonly vision: number; readonly llm: number };
}

export interface ProcessSample {
  readonly app: AppName;
  /** Used in the window. */
  readonly cpuSeconds: number;
  readonly peakRss: number;
  readonly peakPss: number;
}

const mb = 1e6;
const mib = 2 ** 20;

export function slotsFigures(sample: SlotsSample): Figure[] {
  const { outcomes, window, processes, workersPeakPss, redis, modelCalls } = sample;
  const seconds = (window.to - window.from) / 1000;
  const done = outcomes.filter(({ endedAt, end }) => end === 'completed' && isIn(window, endedAt));
  const latencies = done.map(({ startedAt, endedAt }) => (endedAt - startedAt) / 1000);
  const workers = processes.filter(({ app }) => app.endsWith('-worker'));
  const needed = outcomes.filter(({ accepted }) => accepted).length;
  const completed = outcomes.filter(({ end }) => end === 'completed').length;
  return [
    completedAMinute((done.length / seconds) * 60, sample.slotLimit),
    alone('not completed, of all that were sent', [outcomes.length - completed], { atMost: 0 }),
    alone('submit to end seen, p50, s', [percentile(latencies, 0.5)]),
    alone('submit to end seen, p95, s', [percentile(latencies, 0.95)], { atMost: 52 }),
    ...cpuFigures(processes, done.length),
    alone('RSS of the largest worker, peak, MiB', [Math.max(...workers.map(({ peakRss }) => peakRss)) / mib], {
      atMost: 256,
    }),
    alone(`PSS of the ${workers.length} workers together, peak, MB`, [workersPeakPss / mb], { atMost: 1_000 }),
    ...pssFigures(processes),
    ...probeFigures(sample.probes),
    alone('Redis connections', [redis.connections]),
    alone('Redis memory, MB', [redis.bytes / mb]),
    alone('vision calls beyond one a request', [modelCalls.vision - needed], { atMost: 0 }),
    alone('answer calls beyond one a request', [modelCalls.llm - needed], { atMost: 0 }),
  ];
}

function isIn({ from, to }: SlotsSample['window'], at: number): boolean {
  return at >= from && at < to;
}

function completedAMinute(rate: number, slotLimit: number): Figure {
  const figure = compare(
    'completed a minute, beside the limit of the slots',
    [{ baseline: slotLimit, bunri: rate }],
    (value) => value,
    { atLeast: 0.98 },
  );
  // The limit is arithmetic: there is one measurement, and no spread.
  return { ...figure, noisePercent: null };
}

/** A pod that is slow is not to be hidden by those that are not: each has a percentile of its own. */
function probeFigures(probes: SlotsSample['probes']): Figure[] {
  // One that never answered has no percentile, and is the slowest.
  const pods = probes.map(({ app, ms }) => ({ app, p99: ms.length > 0 ? percentile(ms, 0.99) : Infinity }));
  const slowest = pods.toSorted((a, b) => b.p99 - a.p99)[0];
  const failed = probes.flatMap(({ failures }) => failures).length;
  const answered = probes.flatMap(({ ms }) => ms);
  return [
    alone(`probes of the slowest pod (${slowest?.app ?? 'none'}), p99, ms`, [slowest?.p99 ?? Number.NaN], {
      below: 100,
    }),
    alone('probes of all pods, slowest, ms', [Math.max(...answered)]),
    alone(`probes that failed, of ${answered.length + failed}`, [failed], { atMost: 0 }),
  ];
}

function cpuFigures(processes: readonly ProcessSample[], completed: number): Figure[] {
  const per1000 = (some: readonly ProcessSample[]) =>
    (some.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / completed) * 1000;
  return [
    alone('CPU seconds per 1,000, all of bunri', [per1000(processes)], { atMost: 20 }),
    ...kindsOf(processes).map(([app, some]) =>
      alone(`CPU seconds per 1,000, ${app} × ${some.length}`, [per1000(some)]),
    ),
  ];
}

function pssFigures(processes: readonly ProcessSample[]): Figure[] {
  return kindsOf(processes).map(([app, some]) =>
    alone(`PSS of the largest ${app}, peak, MB`, [Math.max(...some.map(({ peakPss }) => peakPss)) / mb]),
  );
}

function kindsOf(processes: readonly ProcessSample[]): [AppName, ProcessSample[]][] {
  return [...Map.groupBy(processes, ({ app }) => app)];
}
