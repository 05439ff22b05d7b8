import { seededRandom } from '@bunri/testkit';
import type { Report, Scenario, Table } from '../scenario.ts';
import { batchBeside, burst, officeHours, steady, type Arrival } from '../simulation-arrivals.ts';
import type { Random } from '../simulation-random.ts';
import { plansFor, readSettings, type SimulationSettings } from '../simulation-settings.ts';
import { summarise, type Summary } from '../simulation-summary.ts';
import { simulate as run, type SimulationResult } from '../simulation.ts';

const minuteMs = 60_000;

/** How requests come, and the part of it that is looked at: to the last answer, where it has no end. */
interface Pattern {
  readonly title: string;
  arrivals(random: Random): Arrival[];
  readonly fromMs: number;
  readonly toMs: number;
}

function patterns({ number }: SimulationSettings): Pattern[] {
  const [rate, burstSize, batch, beside] = [number('rate'), number('burst'), number('batch'), number('beside')];
  return [
    {
      title: `${rate} a minute, steady (Poisson, 15 minutes, the first three not counted)`,
      arrivals: (random) => steady(random, { perMinute: rate, lengthMs: 15 * minuteMs }),
      fromMs: 3 * minuteMs,
      toMs: 15 * minuteMs,
    },
    {
      title: `office hours: from ${rate / 10} to ${rate} a minute and back, in half an hour`,
      arrivals: (random) => officeHours(random, { perMinute: rate, lengthMs: 30 * minuteMs }),
      fromMs: 0,
      toMs: 30 * minuteMs,
    },
    { title: `${burstSize} at once`, arrivals: () => burst(burstSize), fromMs: 0, toMs: Infinity },
    {
      title: `a batch of ${batch} beside ${beside} interactive a minute (15 minutes; the waits are the interactive ones')`,
      arrivals: (random) => batchBeside(random, { count: batch, perMinute: beside, lengthMs: 15 * minuteMs }),
      fromMs: 0,
      toMs: 15 * minuteMs,
    },
  ];
}

/** Waiting times by pods, providers' limits and arrival patterns. Nothing of it is measured. */
export const simulate: Scenario = {
  name: 'simulate',
  summary: 'a simulation: waiting times for 1 to 50 vision pods under limits of the models and patterns of arrival',
  onlyByName: true,
  async run({ settings: given, say }): Promise<Report> {
    const settings = readSettings(given);
    const tables: Table[] = [];
    for (const pattern of patterns(settings)) {
      say(pattern.title);
      tables.push(tableOf(pattern, settings));
    }
    return await Promise.resolve({ figures: [], tables, notes: notes(settings) });
  },
};

const columns = [
  'vision + llm pods',
  'limit a minute',
  'answered a minute',
  'waited p50, s',
  'p95, s',
  'p99, s',
  'refused (503), %',
  'past the deadline, %',
  'vision slots, %',
  'llm slots, %',
  'limit used, %',
  'put back a call',
  'bottleneck',
];

function tableOf(pattern: Pattern, settings: SimulationSettings): Table {
  const hasBatch = pattern.arrivals(seededRandom(1)).some(({ priority }) => priority === 'batch');
  const rows = settings.limits.flatMap(({ name, of: limits }) =>
    settings.pods.map((pods) => {
      const stages = plansFor(pods, { number: settings.number, limits });
      // The same seed for every row: the same requests come, whoever serves them.
      const random = seededRandom(settings.number('seed'));
      const { fromMs, toMs } = pattern;
      const result = run({ stages, arrivals: pattern.arrivals(random), random, window: { fromMs, toMs } });
      const endMs = Math.min(toMs, lastEnd(result));
      const summary = summarise(result, { fromMs, toMs: endMs, priority: 'interactive' });
      const llmPods = stages.find(({ stage }) => stage === 'llm')?.processes ?? 0;
      const batchEnd = hasBatch ? [Math.round((lastEnd(result, 'batch') / minuteMs) * 10) / 10] : [];
      return [`${pods} + ${llmPods}`, name, ...cells(summary), ...batchEnd];
    }),
  );
  return { title: pattern.title, columns: [...columns, ...(hasBatch ? ['batch done after, min'] : [])], rows };
}

function lastEnd({ ended }: SimulationResult, priority?: Arrival['priority']): number {
  const of = ended.filter(({ arrival }) => priority === undefined || arrival.priority === priority);
  return of.reduce((last, { endedAt }) => Math.max(last, endedAt), 0);
}

function cells({
  answeredPerMinute,
  waitMs,
  refusedShare,
  lateShare,
  uses,
  ...rest
}: Summary): (string | number | null)[] {
  const seconds = (ms: number) => (Number.isNaN(ms) ? null : Math.round(ms / 10) / 100);
  const percent = (share: number) => Math.round(share * 100);
  const used = (what: string) => percent(uses.find((use) => use.what === what)?.share ?? 0);
  const limits = uses.filter((use) => use.of === 'limit').map(({ share }) => share);
  return [
    Math.round(answeredPerMinute),
    seconds(waitMs.p50),
    seconds(waitMs.p95),
    seconds(waitMs.p99),
    percent(refusedShare),
    percent(lateShare),
    used('vision slots'),
    used('llm slots'),
    limits.length > 0 ? percent(Math.max(...limits)) : null,
    limits.length > 0 ? Math.round(rest.putBackPerCall * 10) / 10 : null,
    rest.bottleneck,
  ];
}

function notes({ number }: SimulationSettings): string[] {
  return [
    `a simulation, nothing is measured: seed ${number('seed')}; vision 3 to 5 s, llm 1 to 2 s, each value as likely; ${number('vision_tokens')} and ${number('llm_tokens')} tokens a call; deadline 120 s. What can be given with --set: pods, llm_per_vision, rate, burst, batch, beside, vision_rpm, vision_tpm, llm_rpm, llm_tpm, vision_tokens, llm_tokens, ask_ms, seed.`,
    "the product's own: places in the queues, the estimate (with durations that are known, not counted) and its 503 (from a reading that serves for 250 ms, so that what comes in the same instant is accepted whole), the budget's levels, waits and pauses. Every interactive request has an owner of its own.",
    'left out: failed calls, fallbacks (a model that has no room is waited for), caches, corrections by what a provider tells, batch that passes after ten minutes, Redis and the network. From a job taken to its budget asked it takes ask_ms, and each process takes a job a millisecond.',
    'the bottleneck is what is used most, where more than a twentieth waited for a second; "put back a call" is how many jobs were taken, refused by the budget and queued again for each call that was made.',
  ];
}
