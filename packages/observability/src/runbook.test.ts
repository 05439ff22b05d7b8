import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { dashboards } from './dashboards.ts';
import { runbookDashboard, sectionsOf } from './runbook.ts';

const text = await readFile(new URL('../../../helm/RUNBOOK.md', import.meta.url), 'utf8');
const titles = dashboards.flatMap(({ rows }) => rows.flatMap(({ panels }) => panels.map(({ title }) => title)));
const names = ['Overview', 'Stage …', 'Model API', 'Redis and processes', 'Batch and tenants', 'Runbook'];

test('every panel that the runbook sends somebody to exists', () => {
  const rows = dashboards.flatMap(({ rows: all }) => all.map(({ title }) => title));
  const named = Array.from(text.matchAll(/"([A-Z][^"]+)"/g), ([, name = '']) => name);
  // What users and other programs show.
  const others = ['Targets'];
  const known = [...titles, ...rows, ...others];
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => !known.some((title) => title.startsWith(name)))).toEqual([]);
});

test('every dashboard that the runbook names exists', () => {
  const named = Array.from(text.matchAll(/(?<!\*)\*([A-Z][^*]+)\*(?!\*)/g), ([, name = '']) => name);
  expect([...new Set(named)].toSorted()).toEqual(names.toSorted());
  const shown = dashboards.map(({ title }) => title.replace(/^Stage .*/, 'Stage …'));
  expect([...new Set([...shown, 'Runbook'])].toSorted()).toEqual(names.toSorted());
});

test('every command that the runbook tells to type is one that there is', () => {
  const commands = Array.from(
    text.matchAll(/`bunri (\w+)(?: (\w+))?/g),
    ([, group = '', name = '']) => `${group} ${name}`,
  );
  const queues = ['status', 'describe', 'show', 'failed', 'retry', 'purge', 'pause', 'resume', 'redis'];
  const known = new Set([...queues.map((name) => `queues ${name}`), 'keys revoke', 'audit ']);
  expect(commands.length).toBeGreaterThan(20);
  expect(commands.filter((command) => !known.has(command))).toEqual([]);
});

test('the runbook is a dashboard too, with a panel for its introduction and for each section', () => {
  const { sections } = sectionsOf(text);
  const panels = runbookDashboard(text).panels ?? [];
  expect(panels.map(({ title }) => title)).toEqual(['How to use it', ...sections.map(({ title }) => title)]);
});
