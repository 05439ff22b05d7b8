import { readFile, readdir } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { stageNames } from '@bunri/queue-contracts';
import { alertGroups } from './alerts.ts';
import { buildDashboard } from './dashboard.ts';
import { dashboards } from './dashboards.ts';
import { generatedFiles } from './generated-files.ts';
import { readQuery, scoped } from './promql.ts';

const helm = new URL('../../../helm/', import.meta.url);
const built = dashboards.map(buildDashboard);
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
