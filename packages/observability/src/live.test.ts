import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stageNames, stages } from '@bunri/queue-contracts';
import { findPrometheus, patienceMs } from '@bunri/testkit';
import { alertGroups } from './alerts.ts';
import { dashboards } from './dashboards.ts';
import { stageDashboard } from './dashboards/stage.ts';
import { readExposed, type ExposedMetrics } from './exposed-metrics.ts';
import { startLiveSystem, type LiveSystem } from './live-fixture.ts';
import { startPrometheus, type PrometheusServer } from './prometheus-server.ts';
import { readQuery } from './promql.ts';

const files = new URL('../../../helm/bunri/files/', import.meta.url);
const ruleFiles = alertGroups.map(({ name }) => fileURLToPath(new URL(`alerts/${name}.yaml`, files)));
const programs = await findPrometheus(process.env, (why) => process.stderr.write(`no query is evaluated: ${why}\n`));

const unusualDashboards = new Set(
  stageNames.filter((stage) => stages[stage].replicas === 0).map((stage) => stageDashboard(stage).uid),
);

/** Every query of every panel, and whether it must have data once the system has done something of everything. */
const panels = dashboards.flatMap(({ uid, rows }) =>
  rows.flatMap((row) =>
    row.panels.map((panel) => ({
      name: `${uid}: ${panel.title}`,
      // Of a stage that runs only where it is asked for, nobody has asked for anything.
      hasData: panel.mayBeEmpty !== true && !unusualDashboards.has(uid),
      queries: panel.targets.map(([query]) => query),
    })),
  ),
);
const alerts = alertGroups.flatMap((group) => group.alerts);
const queries = [
  ...panels.flatMap(({ name, queries: all }) => all.map((query) => ({ name, query }))),
  ...alerts.map(({ name, expr }) => ({ name, query: expr })),
];

let live: LiveSystem;
let exposed: ExposedMetrics;
let prometheus: PrometheusServer | undefined;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  const started = await startLiveSystem();
  live = started;
  stops.push(async () => await started.system.stop());
  prometheus = programs && (await startPrometheus({ program: programs.prometheus, targets: live.targets, ruleFiles }));
  stops.push(async () => await prometheus?.stop());
  // A rate is seen only of what has a value before and after: everything is scraped once before anything happens, and
  // once in the middle.
  await scraped(1);
  await started.live(scraped);
  exposed = readExposed(await live.pages());
  // What was counted for the first time has no rate before its second scrape.
  await scraped(3);
});
afterAll(async () => {
  for (const stop of stops.toReversed()) await stop();
});

/** Resolves once every app has been scraped so often from now on; of one scrape the page may be older than the call. */
async function scraped(times = 2): Promise<void> {
  if (!prometheus) return;
  const giveUp = AbortSignal.timeout(patienceMs);
  const counts = async () => {
    const up = (await prometheus?.queryRange('sum_over_time(up[5m])')) ?? [];
    return new Map(up.map(({ metric, values }) => [metric['instance'], Number(values.at(-1)?.[1] ?? 0)]));
  };
  const before = await counts();
  for (;;) {
    const now = await counts();
    if (live.targets.every((target) => (now.get(target) ?? 0) >= (before.get(target) ?? 0) + times)) return;
    giveUp.throwIfAborted();
    await delay(100);
  }
}

test('every metric that a panel or an alert names is exposed by the running system', () => {
  const unknown = queries.flatMap(({ name, query }) =>
    readQuery(query).selectors.flatMap(({ metric }) => (exposed.names.has(metric) ? [] : [`${name}: ${metric}`])),
  );
  expect(unknown).toEqual([]);
});

test('every label that a panel or an alert matches or groups by is one of the metric', () => {
  // What Prometheus adds to every series that it scrapes.
  const added = ['namespace', 'job', 'pod', 'instance'];
  const unknown = queries.flatMap(({ name, query }) => {
    const { selectors, grouping } = readQuery(query);
    const matched = selectors.flatMap(({ metric, labels }) =>
      labels.filter((label) => !added.includes(label) && !exposed.labelsOf(metric).has(label)),
    );
    const all = new Set(selectors.flatMap(({ metric }) => [...exposed.labelsOf(metric)]));
    const grouped = grouping.filter((label) => !added.includes(label) && !all.has(label));
    return [...matched, ...grouped].map((label) => `${name}: ${label}`);
  });
  expect(unknown).toEqual([]);
});

test('no metric has a label whose values have no bound', () => {
  const bounded = new Set(
    [
      'app le quantile queue stage state class outcome code final cached cache result role by problem method route status',
      'reason found task kind model direction cap what unit why gpu operation type space version major minor patch owner',
    ].flatMap((names) => names.split(' ')),
  );
  const others = [...exposed.names].flatMap((name) =>
    [...exposed.labelsOf(name)].filter((label) => !bounded.has(label)),
  );
  expect(others).toEqual([]);
  const owners = [...exposed.names].filter((name) => exposed.labelsOf(name).has('owner'));
  expect(owners).toEqual(['bunri_owner_spending_today_usd']);
});

const withPrometheus = programs ? describe : describe.skip;

withPrometheus('a Prometheus that scrapes the running system', () => {
  test('evaluates every rule without an error, and nothing fires that wakes somebody up', async () => {
    const rules = (await prometheus?.rules()) ?? [];
    expect(rules.map(({ name }) => name).toSorted()).toEqual(alerts.map(({ name }) => name).toSorted());
    const sick = rules.filter(({ health, state }) => health !== 'ok' || state === 'firing');
    expect(sick).toEqual([]);
  });

  test('evaluates the query of every panel, and has data for all that must have some', async () => {
    const empty: string[] = [];
    for (const { name, hasData, queries: all } of panels) {
      const found = await Promise.all(all.map(async (query) => await prometheus?.queryRange(inPanel(query))));
      const values = found.flatMap((series = []) => series.flatMap((one) => one.values.map(([, value]) => value)));
      if (hasData && !values.some((value) => value !== 'NaN')) empty.push(name);
    }
    expect(empty).toEqual([]);
  });

  test('has the data that the system has made', async () => {
    const last = async (query: string) =>
      Number((await prometheus?.queryRange(query))?.[0]?.values.at(-1)?.[1] ?? Number.NaN);
    const count = 'bunri_request_duration_seconds_count';
    expect(await last(`sum(${count}{outcome="completed"})`)).toBe(3);
    expect(await last(`sum(${count}{outcome="cached"})`)).toBe(1);
    expect(await last(`sum(${count}{outcome="rejected"})`)).toBe(1);
    expect(await last(`sum(${count}{outcome="failed"})`)).toBe(1);
    expect(await last('sum(bunri_requests_failed_total{code="model_request_rejected"})')).toBe(1);
    expect(await last('sum(bunri_stage_runs_total{stage="vision",outcome="retry"})')).toBe(1);
    expect(await last('sum(bunri_dead_letters{app="scheduler"})')).toBe(1);
    expect(await last('max(bunri_spending_cap_usd{cap="day"})')).toBe(100);
    for (const stage of stageNames.filter((name) => stages[name].replicas > 0))
      expect([stage, await last(`bunri_queue_workers{queue="${stages[stage].queue}"}`)]).toEqual([stage, 1]);
  });
});

/** The query as Grafana would ask it. */
function inPanel(query: string): string {
  return query.replaceAll('$__rate_interval', '1m');
}
