import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { render } from './chart.ts';
import type { Manifest } from './manifests.ts';

const released = JSON.parse(
  readFileSync(new URL('../fixtures/release-0.1.0.json', import.meta.url), 'utf8'),
) as Identity[];

/** What Kubernetes does not let anybody change: who changes it has to delete the object, and with a StatefulSet its data. */
interface Identity {
  readonly kind: string;
  readonly name: string;
  readonly selector: unknown;
  readonly serviceName?: unknown;
  readonly volumeClaimTemplates?: unknown;
}

test('an upgrade from the last release keeps the name and the fixed fields of everything that holds data or runs pods', () => {
  const present = render({ redis: { enabled: true } }).flatMap(identityOf);
  for (const identity of released) expect(present).toContainEqual(identity);
  expect(released.map(({ kind }) => kind)).toContain('StatefulSet');
});

function identityOf({ kind, metadata, spec }: Manifest): Identity[] {
  if (kind !== 'Deployment' && kind !== 'StatefulSet') return [];
  const { selector, serviceName, volumeClaimTemplates } = spec as Omit<Identity, 'kind' | 'name'>;
  return [
    {
      kind,
      name: metadata.name,
      selector,
      ...(serviceName === undefined ? {} : { serviceName }),
      ...(volumeClaimTemplates === undefined ? {} : { volumeClaimTemplates }),
    },
  ];
}
