import { describe, expect, test } from '@jest/globals';
import { readChartFile, render } from './chart.ts';
import type { Manifest } from './manifests.ts';
import { everySwitch, installations } from './installations.ts';
import { problemsOfManifests } from './strict-manifests.ts';

const compileTimeoutMs = 60_000;

test(
  'every manifest of every installation has only fields that Kubernetes knows, with values of their types',
  async () => {
    const all = Object.values(installations).flatMap((values) => render(...values));
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(render(everySwitch).map(({ kind }) => kind)));
    expect(await problemsOfManifests(all)).toEqual([]);
  },
  compileTimeoutMs,
);

test(
  'a misspelt field and a value of a wrong type are found',
  async () => {
    const broken = render(everySwitch).flatMap((manifest): Manifest[] => {
      const spec = manifest.spec as Record<string, unknown>;
      if (manifest.kind === 'Deployment') return [{ ...manifest, spec: { ...spec, replicsa: 3 } }];
      if (manifest.kind === 'ScaledObject') return [{ ...manifest, spec: { ...spec, maxReplicaCount: 'many' } }];
      if (manifest.kind === 'HTTPRoute') return [{ ...manifest, spec: { ...spec, hostnam: [] } }];
      return [];
    });
    const problems = await problemsOfManifests(broken);
    expect(problems.filter((line) => line.includes('replicsa'))).toHaveLength(7);
    expect(problems.filter((line) => line.includes('hostnam'))).toHaveLength(1);
    expect(problems.filter((line) => line.includes('maxReplicaCount'))).not.toEqual([]);
  },
  compileTimeoutMs,
);

describe('the values files of the chart', () => {
  test('change nothing that the chart does not have', () => {
    for (const name of ['values-one-node.yaml', 'values-large.yaml']) expect(readChartFile(name)).toBeTruthy();
    expect(Object.keys(installations)).toEqual(['default', 'every switch', 'one node', 'large']);
  });
});
