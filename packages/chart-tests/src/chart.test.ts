import { expect, test } from '@jest/globals';
import { leastValues, lint, tryRender } from './chart.ts';

test('the chart has nothing that helm lint complains about', () => {
  expect(lint(leastValues)).toMatchObject({ ok: true });
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
