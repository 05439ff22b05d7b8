import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { z } from 'zod';
import { appNames, configSchemaOf, importTimeoutMs, problemsOf, sampleSecrets } from './apps.ts';

interface Service {
  readonly image: string;
  readonly build?: { readonly args: { readonly APP: string } };
  readonly environment: Record<string, string>;
  readonly depends_on?: Record<string, { readonly condition: string }>;
  readonly healthcheck?: object;
  readonly stop_grace_period?: string;
}

const text = readFileSync(new URL('../../../docker/compose.yaml', import.meta.url), 'utf8');
const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
const appServices = Object.entries(services).filter(([, { build }]) => build !== undefined);

test('compose runs every app from its own image', () => {
  expect(appServices.map(([name]) => name).toSorted()).toEqual(appNames());
  for (const [name, { image, build }] of appServices)
    expect({ image, app: build?.args.APP }).toEqual({ image: `bunri/${name}`, app: name });
});

describe.each(appServices)('compose gives %s', (name, service) => {
  const environment = interpolated(service.environment);
  let schema: z.ZodObject;
  beforeAll(async () => {
    schema = await configSchemaOf(name);
  }, importTimeoutMs);

  test('settings that it reads, and all that it requires', () => {
    expect([...environment.keys()].filter((setting) => !(setting in schema.shape))).toEqual([]);
    expect(problemsOf(schema, environment)).toEqual([]);
  });

  test('no secret that is written down', () => {
    // The name of an access key is none. Everything else comes from the environment, or stops the start, or stays empty.
    const writtenDown = Object.entries(service.environment).flatMap(([setting, value]) =>
      setting in sampleSecrets && setting !== 'S3_ACCESS_KEY_ID' && !/:\?|:-\}$/.test(value) ? [setting] : [],
    );
    expect(writtenDown).toEqual([]);
  });

  test('healthy systems before it starts, and time to drain before it is killed', () => {
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(condition).toBe('service_healthy');
      expect(services[needed]?.healthcheck).toBeDefined();
    }
    expect(service.depends_on).toHaveProperty('redis');
    expect(Number.parseInt(service.stop_grace_period ?? '', 10)).toBeGreaterThan(30);
  });
});

/** The environment as compose passes it on, with a sample in place of every required secret. An empty value is absent. */
function interpolated(environment: Record<string, string>): Map<string, string> {
  const entries = Object.entries(environment).map(([setting, value]): [string, string] => [
    setting,
    value.replaceAll(
      /\$\{(\w+)(?::\?[^}]*|:-([^}]*))\}/g,
      (_, name: string, fallback?: string) => fallback ?? sampleSecrets[name] ?? 'sample',
    ),
  ]);
  return new Map(entries.filter(([, value]) => value !== ''));
}
