import { expect, test } from '@jest/globals';
import { scenarios, scenariosNamed } from './catalogue.ts';
import { renderJson, renderTable } from './report.ts';
import type { ScenarioResult } from './scenario.ts';

const kept: ScenarioResult = {
  name: 'kill-vision',
  ok: true,
  tally: {
    accepted: 150,
    completed: 148,
    degraded: 0,
    canceled: 0,
    failed: { model_unavailable: 2 },
    gone: 0,
    open: 0,
    lost: [],
    answeredTwice: 0,
    brokenStreams: [],
    doubledKeys: [],
    calls: { made: 301, needed: 296, inFlight: 7 },
  },
  recoveryS: 17.34,
  seconds: 30.2,
  broken: [],
  notes: ['a figure'],
};
const failed: ScenarioResult = {
  ...kept,
  name: 's3-down',
  ok: false,
  tally: null,
  recoveryS: null,
  broken: ['not over after 420 s'],
  notes: [],
};

test('the table has a line a scenario, and says below which promises were broken', () => {
  const text = renderTable([kept, failed]);
  expect(text).toMatch(
    /kill-vision +\| 150 +\| 148 +\| 2 model_unavailable +\| 0 +\| 0 +\| 301 \/ 296 \(\+ 7\) +\| 17\.3/,
  );
  expect(text).toContain('s3-down: BROKEN: not over after 420 s');
  expect(text).toContain('kill-vision: a figure');
  expect(text).toContain('2 scenarios: 1 failed: s3-down.');
});

test('the JSON says the same to programs', () => {
  expect(JSON.parse(renderJson(7, [kept, failed]))).toMatchObject({
    seed: 7,
    ok: false,
    scenarios: [
      { name: 'kill-vision', ok: true, accepted: 150, lost: [], model_calls: { made: 301, needed: 296, in_flight: 7 } },
      { name: 's3-down', ok: false, accepted: null, broken: ['not over after 420 s'] },
    ],
  });
});

test('every scenario has a name of its own, and an unknown name is an error that says where the names are', () => {
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  expect(scenariosNamed([])).toBe(scenarios);
  expect(scenariosNamed(['kill-api']).map(({ name }) => name)).toEqual(['kill-api']);
  expect(() => scenariosNamed(['kill-api', 'kill-me'])).toThrow(/No such scenario: kill-me.*--list/);
});
