import { describe, expect, test } from '@jest/globals';
import { lint, notes, tryRelease, tryRender } from './chart.ts';
import { everySwitch, installations } from './installations.ts';

test.each(Object.entries(installations))('the chart has nothing that helm lint complains about: %s', (_, layers) => {
  expect(lint(...layers)).toMatchObject({ ok: true });
});

test('the chart refuses the name of a release that makes names too long for a label, or none of a service', () => {
  expect(tryRelease(`b${'u'.repeat(35)}`)).toMatchObject({ ok: true });
  expect(tryRelease(`b${'u'.repeat(36)}`)).toMatchObject({
    ok: false,
    output: expect.stringContaining('36 characters'),
  });
  for (const name of ['bunri.test', '2nd-bunri'])
    expect(tryRelease(name)).toMatchObject({ ok: false, output: expect.stringContaining('begins with a letter') });
});

describe('the notes say what to do next', () => {
  test('to whoever gave the least values: how to test, where the keys are, what is still off', () => {
    const text = notes();
    for (const step of ['helm -n workers test bunri', 'test.keySecret', 'bunri-keys', 'port-forward'])
      expect(text).toContain(step);
    expect(text).toContain('still off: monitoring.podMonitor, monitoring.prometheusRule, monitoring.dashboards');
    expect(text).toContain('workload=async-workers bunri/pool=io or bunri/pool=network');
  });

  test('to whoever has switched everything on, and nothing about labels where nodes need none', () => {
    const text = notes(everySwitch, ...(installations['one node'] ?? []));
    for (const step of ['https://bunri.example.com', 'bunri-redis:6379', 'keys create', 'bunri / Overview'])
      expect(text).toContain(step);
    expect(text).not.toMatch(/Pending|still off|name a Secret/);
  });
});

test.each([
  ['at the top', 'redisPrefx', { redisPrefx: '{other}' }],
  ['in a worker', 'replica', { workers: { vision: { replica: 6 } } }],
  ['in the name of a stage', '/workers/visoin', { workers: { visoin: { replicas: 6 } } }],
  ['in a setting', 'CONTEXT_TOKEN_BUGDET', { workers: { rag: { settings: { CONTEXT_TOKEN_BUGDET: '900' } } } }],
  ['in a need', '/workers/rag/needs', { workers: { rag: { needs: ['redsi'] } } }],
  ['in a network policy', 'enable', { networkPolicy: { enable: false } }],
  ['in a unit', '1Gi', { api: { resources: { limits: { memory: '1Gi' } } } }],
])('the chart refuses a misspelling %s', (_, misspelt, values) => {
  const { ok, output } = tryRender(values);
  expect(ok).toBe(false);
  expect(output).toContain("don't meet the specifications of the schema");
  expect(output).toContain(misspelt);
});
