import { readFile, readdir } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { isAsking, readDashboard } from './dashboard-file.ts';
import { exampleDashboard } from './example-fixture.ts';
import { unitNames } from './page/units.ts';
import { substitute } from './variables.ts';

const folder = new URL('../../../../helm/bunri/files/dashboards/', import.meta.url);

test('every dashboard of the chart can be drawn: its panels, its units, its variables', async () => {
  const names = await readdir(folder);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const { panels, templating } = readDashboard(await readFile(new URL(name, folder), 'utf8'));
    for (const { title, fieldConfig, targets } of panels.filter(isAsking)) {
      expect([name, title, unitNames.has(fieldConfig.defaults.unit)]).toEqual([name, title, true]);
      for (const { expr } of targets)
        expect(substitute(expr, templating.list, { from: 0, to: 60 }, { stepS: 1, rateS: 4 })).not.toContain('$');
    }
  }
});

test('what would look different in Grafana is refused, not passed over', () => {
  const [, lines] = exampleDashboard.panels;
  const withPanel = (more: object) => JSON.stringify({ ...exampleDashboard, panels: [{ ...lines, ...more }] });
  expect(() => readDashboard(withPanel({}))).not.toThrow();
  expect(() => readDashboard(withPanel({ type: 'piechart' }))).toThrow('cannot be drawn');
  const fieldConfig = (custom: object, overrides: object[] = []) => ({
    fieldConfig: {
      defaults: { thresholds: { mode: 'absolute', steps: [{ value: null, color: 'green' }] }, custom },
      overrides,
    },
  });
  expect(() => readDashboard(withPanel(fieldConfig({})))).not.toThrow();
  expect(() => readDashboard(withPanel(fieldConfig({ drawStyle: 'points' })))).toThrow('drawStyle');
  expect(() => readDashboard(withPanel(fieldConfig({}, [{ matcher: {} }])))).toThrow('overrides');
});
