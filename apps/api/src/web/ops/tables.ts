import { make } from '../page/elements.ts';
import type { DayStatistics, Look, Statistics } from './answers.ts';
import type { StageView } from './picture.ts';
import { span, type OpsWords } from './words.ts';

type Lang = 'ko' | 'en';
const none = '–';

/** What the picture shows, and more, in words. */
export function stageTable(stages: readonly StageView[], today: DayStatistics, words: OpsWords, lang: Lang) {
  const heads = ['stage', 'waiting', 'oldest', 'delayed', 'inFlight', 'workers', 'rate', 'times'] as const;
  const rows = stages.map(({ name, jobs, slots, workers, perMinute, oldest_waiting_seconds: oldest }) => {
    const took = today.stages[name]?.duration_ms;
    return [
      words.names[name] ?? name,
      String(jobs.waiting),
      jobs.waiting === 0 ? none : span(oldest, lang),
      String(jobs.delayed),
      `${jobs.active} / ${slots}`,
      String(workers),
      perMinute === null ? none : perMinute.toFixed(1),
      took ? `${duration(took.p50)} / ${duration(took.p95)}` : none,
    ];
  });
  return table(
    heads.map((head) => words[head]),
    rows,
    words.pipeline,
  );
}

/** Today in a few figures; the cost beside its cap. */
export function todayFigures({ today, caps }: Look, perMinute: number | null, words: OpsWords): HTMLElement {
  const { requests } = today;
  const cost = costOf(today);
  const cap = caps.day_usd;
  const meter =
    cap === null
      ? null
      : make('meter', { min: 0, max: cap, value: Math.min(cap, cost), high: cap * 0.8, 'aria-label': words.cost });
  const figure = (name: string, value: string, ...more: (HTMLElement | null)[]) =>
    make('div', {}, make('dt', {}, name), make('dd', {}, make('strong', {}, value), ...more));
  return make(
    'dl',
    { class: 'figures' },
    figure(words.accepted, String(requests.accepted)),
    figure(words.completed, String(requests.completed)),
    figure(words.failed, String(requests.failed)),
    figure(words.canceled, String(requests.canceled)),
    figure(words.cached, String(requests.cached)),
    figure(words.throughput, perMinute === null ? none : perMinute.toFixed(1)),
    figure(
      words.cost,
      dollars(cost),
      make('span', { class: 'note' }, cap === null ? words.noCap : words.ofCap(dollars(cap))),
      meter,
    ),
  );
}

export function dayTable({ days }: Statistics, words: OpsWords): HTMLElement {
  const heads = [words.day, words.accepted, words.completed, words.failed, words.canceled, words.cached, words.cost];
  const rows = days.toReversed().map((day) => {
    const { accepted, completed, failed, canceled, cached } = day.requests;
    const counts = [accepted, completed, failed, canceled, cached].map(String);
    return day.source === 'none'
      ? [day.day, ...counts.map(() => none), none]
      : [day.day, ...counts, dollars(costOf(day))];
  });
  return table(heads, rows, words.lastDays);
}

/** A table that scrolls by itself where it is wider than the window; then it has to be reachable by keyboard. */
function table(heads: readonly string[], rows: readonly (readonly string[])[], name: string): HTMLElement {
  const line = (cells: readonly string[]) =>
    make('tr', {}, ...cells.map((cell, i) => make(i === 0 ? 'th' : 'td', i === 0 ? { scope: 'row' } : {}, cell)));
  return make(
    'div',
    { class: 'scrolls', role: 'region', 'aria-label': name, tabindex: 0 },
    make(
      'table',
      {},
      make('thead', {}, make('tr', {}, ...heads.map((head) => make('th', { scope: 'col' }, head)))),
      make('tbody', {}, ...rows.map(line)),
    ),
  );
}

function costOf({ usage }: DayStatistics): number {
  return Object.values(usage).reduce((sum, { cost_usd: cost }) => sum + cost, 0);
}

function dollars(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 1 ? 4 : 2)}`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
