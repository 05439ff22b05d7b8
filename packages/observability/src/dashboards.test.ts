import { readFile, readdir } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { stageNames } from '@bunri/queue-contracts';
import { createMetrics } from '@bunri/runtime';
import { alertGroups } from './alerts.ts';
import { buildDashboard } from './dashboard.ts';
import { dashboards } from './dashboards.ts';
import { generatedFiles } from './generated-files.ts';
import { readQuery, scoped } from './promql.ts';

const helm = new URL('../../../helm/', import.meta.url);
const built = dashboards.map(buildDashboard);
/** As Grafana gets them, without the headings of rows. */
const drawn = built.flatMap(({ uid, panels: all = [] }) =>
  all.flatMap((panel) => ('targets' in panel ? [{ ...panel, uid }] : [])),
);
const panels = dashboards.flatMap(({ uid, rows }) =>
  rows.flatMap((row) => row.panels.map((panel) => ({ uid, ...panel }))),
);

test('the files of the chart are those that `npm run observability` writes', async () => {
  const generated = generatedFiles(await readFile(new URL('RUNBOOK.md', helm), 'utf8'));
  const written: string[] = [];
  for (const folder of ['dashboards', 'alerts'])
    for (const name of await readdir(new URL(`bunri/files/${folder}`, helm))) written.push(`${folder}/${name}`);
  expect(written.toSorted()).toEqual([...generated.keys()].toSorted());
  for (const [path, content] of generated) {
    const file = await readFile(new URL(`bunri/files/${path}`, helm), 'utf8');
    // The formatter lays them out its own way.
    const read = (text: string): unknown => (path.endsWith('.json') ? JSON.parse(text) : parse(text));
    expect([path, read(file)]).toEqual([path, read(content)]);
  }
});

test('every stage of the catalogue has a dashboard', () => {
  const titles = dashboards.map(({ title }) => title);
  expect(titles).toEqual(expect.arrayContaining(stageNames.map((stage) => `Stage ${stage}`)));
});

test('every dashboard has a name of its own, its variables, and a way to the others and to the runbook', () => {
  expect(new Set(built.map(({ uid }) => uid)).size).toBe(built.length);
  for (const { uid, title, description, templating, links } of built) {
    expect(uid).toMatch(/^bunri-[a-z-]{1,34}$/);
    expect([title, description].map((text) => (text ?? '').length > 5)).toEqual([true, true]);
    expect(templating?.list?.map(({ name }) => name)).toEqual(['datasource', 'namespace', 'job']);
    expect(links?.map(({ title: name }) => name)).toEqual(['bunri', 'Runbook']);
  }
});

test('every panel says what it shows, in what unit, and has a place of its own on its dashboard', () => {
  for (const { title, description, unit } of panels)
    expect([title, description.length > 2, unit.length > 0]).toEqual([title, true, true]);
  for (const { uid, panels: all = [] } of built) {
    expect([uid, all.map(({ id }) => id)]).toEqual([uid, all.map((_, index) => index + 1)]);
    const places = all.map(({ gridPos }) => JSON.stringify(gridPos));
    expect([uid, new Set(places).size]).toEqual([uid, all.length]);
    const titles = panels.filter((panel) => panel.uid === uid).map(({ title }) => title);
    expect([uid, new Set(titles).size]).toEqual([uid, titles.length]);
  }
});

test('every line of panels is full, and all in it are equally high', () => {
  for (const { uid, panels: all = [] } of built) {
    const lines = Map.groupBy(all, ({ gridPos }) => gridPos?.y ?? -1);
    for (const line of lines.values()) {
      const places = line.map(({ title, gridPos: { x = 0, w = 0, h = 0 } = {} }) => ({ title, x, w, h }));
      expect([uid, places, places.reduce((sum, { w }) => sum + w, 0)]).toEqual([uid, places, 24]);
      expect([uid, places, new Set(places.map(({ h }) => h)).size]).toEqual([uid, places, 1]);
    }
  }
});

test('limits of lines are drawn, and an axis of a heat map has its unit', () => {
  const plans = new Map(panels.map((panel) => [`${panel.uid} ${panel.title}`, panel]));
  for (const { uid, title = '', type, fieldConfig, options } of drawn) {
    const plan = plans.get(`${uid} ${title}`);
    const { thresholdsStyle } = (fieldConfig?.defaults.custom ?? {}) as { thresholdsStyle?: { mode: string } };
    const isDrawn = type === 'timeseries' && plan?.limits !== undefined;
    expect([uid, title, thresholdsStyle?.mode]).toEqual([uid, title, isDrawn ? 'dashed' : undefined]);
    const { yAxis } = (options ?? {}) as { yAxis?: { unit?: string } };
    expect([uid, title, yAxis?.unit]).toEqual([uid, title, type === 'heatmap' ? plan?.unit : undefined]);
  }
});

test('bars show the present alone, the longest first', () => {
  const bars = drawn.filter(({ type }) => type === 'bargauge');
  expect(bars.length).toBeGreaterThan(0);
  for (const { targets = [], options } of bars) {
    expect(options).toMatchObject({ orientation: 'horizontal' });
    expect(targets).toMatchObject(targets.map(() => ({ instant: true, range: false })));
    expect(targets).toMatchObject(targets.map(() => ({ expr: expect.stringMatching(/^sort_desc\(/) })));
  }
});

test('what is only yes or no is said in words, and no is red', () => {
  const figures = drawn.filter(({ title = '' }) => /evicts|disk/.test(title));
  expect(figures).toHaveLength(2);
  for (const { fieldConfig } of figures)
    expect(fieldConfig?.defaults.mappings).toEqual([
      { type: 'value', options: { 0: { text: 'NO', color: 'red' }, 1: { text: 'yes', color: 'green' } } },
    ]);
});

test('every query of a panel parses, and shows the chosen installation alone', () => {
  for (const { title, targets } of panels) {
    expect([title, targets.length > 0]).toEqual([title, true]);
    for (const [query] of targets) {
      const { selectors } = readQuery(scoped(query));
      expect(selectors.length).toBeGreaterThan(0);
      for (const { metric, labels } of selectors)
        expect([metric, labels.slice(0, 2)]).toEqual([metric, ['namespace', 'job']]);
    }
  }
});

/** What Node.js and the operating system tell besides, for whoever looks closer at one process. */
const ofTheProcess = /^(process|nodejs)_/;

test('every metric of bunri is on a panel', () => {
  const { registry } = createMetrics({ app: 'test' });
  const shown = new Set(
    panels.flatMap(({ targets }) =>
      targets.flatMap(([query]) =>
        readQuery(query).selectors.flatMap(({ metric }) => [metric, metric.replace(/_(bucket|sum|count)$/, '')]),
      ),
    ),
  );
  const names = registry.getMetricsAsArray().map(({ name }) => name);
  expect(names.filter((name) => !shown.has(name) && !ofTheProcess.test(name))).toEqual([]);
});

test('every alert tells installations apart', () => {
  const alerts = alertGroups.flatMap((group) => group.alerts);
  const apart = alerts.filter(({ expr }) => readQuery(expr).grouping.includes('namespace'));
  // Of what is absent nobody knows whose it was.
  const absent = alerts.filter(({ expr }) => expr.startsWith('absent('));
  expect(apart.length + absent.length).toBe(alerts.length);
});

test('what is not PromQL is refused', () => {
  expect(() => readQuery('sum by (queue (bunri_queue_jobs)')).toThrow('not PromQL');
});
