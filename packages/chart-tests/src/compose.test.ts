import { existsSync, readFileSync } from 'node:fs';
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
  readonly profiles?: readonly string[];
}

const text = readFileSync(new URL('../../../docker/compose.yaml', import.meta.url), 'utf8');
const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
const appServices = Object.entries(services).filter(([, { image }]) => image.startsWith('bunri/'));
const usual = { OPENAI_API_KEY: 'secret' };

test('compose runs every app from its own image', () => {
  const built = appServices.filter(([, { build }]) => build !== undefined);
  expect(built.map(([name]) => name).toSorted()).toEqual(appNames());
  for (const [name, { image, build }] of built)
    expect({ image, app: build?.args.APP }).toEqual({ image: `bunri/${name}`, app: name });
  // Whatever else runs one of these images is asked for by name.
  const others = appServices.filter(([, { build }]) => build === undefined);
  expect(others.map(([name, { profiles }]) => [name, profiles])).toEqual([['vision-local-worker', ['local']]]);
});

describe.each(appServices)('compose gives %s', (name, service) => {
  const environment = interpolated(service.environment, usual);
  let schema: z.ZodObject;
  beforeAll(async () => {
    schema = await configSchemaOf(service.image.replace('bunri/', ''));
  }, importTimeoutMs);

  test('settings that it reads, and all that it requires', () => {
    expect([...environment.keys()].filter((setting) => !(setting in schema.shape))).toEqual([]);
    expect(problemsOf(schema, environment)).toEqual([]);
  });

  test('a start without the key of a model API where none is asked, and a refusal where one is', () => {
    const keyless = { VISION_MODEL: 'local', LLM_MODEL: 'rules' };
    expect(problemsOf(schema, interpolated(service.environment, keyless))).toEqual([]);
    const asks = ['vision-worker', 'llm-worker'].includes(name);
    const problems = problemsOf(schema, interpolated(service.environment, {}));
    expect(problems.filter((problem) => problem.includes('OPENAI_API_KEY'))).toHaveLength(asks ? 1 : 0);
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

/** The environment as compose passes it on, with `given` in docker/.env and a sample in place of every required secret. An empty value is absent. */
function interpolated(environment: Record<string, string>, given: Record<string, string>): Map<string, string> {
  const entries = Object.entries(environment).map(([setting, value]): [string, string] => [
    setting,
    value.replaceAll(
      /\$\{(\w+)(?::\?[^}]*|:-([^}]*))\}/g,
      (_, name: string, fallback?: string) => given[name] ?? fallback ?? sampleSecrets[name] ?? 'sample',
    ),
  ]);
  return new Map(entries.filter(([, value]) => value !== ''));
}

test('compose tells clients an address of the storage that this machine publishes, and no other machine', () => {
  const { ports } = services['storage'] as unknown as { ports: readonly string[] };
  const { S3_PUBLIC_ENDPOINT: told = '' } = services['api']?.environment ?? {};
  expect(ports).toEqual(['127.0.0.1:${STORAGE_PORT:-7070}:7070']);
  expect(told).toBe('http://127.0.0.1:${STORAGE_PORT:-7070}');
});

describe('compose shows what happens', () => {
  const folder = new URL('../../../docker/', import.meta.url);
  const watching = ['prometheus', 'grafana'].map((name) => [name, services[name] as unknown as Watching] as const);
  interface Watching {
    readonly image: string;
    readonly ports: readonly string[];
    readonly volumes: readonly string[];
  }

  test('by a Prometheus that scrapes every app and knows every alert', () => {
    const config = parse(readFileSync(new URL('prometheus.yml', folder), 'utf8')) as {
      rule_files: string[];
      scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
    };
    const [{ names, port } = { names: [], port: 0 }] = config.scrape_configs.flatMap((job) => job.dns_sd_configs);
    expect(names.toSorted()).toEqual(appServices.map(([name]) => name).toSorted());
    for (const [, { environment }] of appServices) expect(environment['PORT'] ?? '8080').toBe(String(port));
    expect(config.rule_files).toEqual(['/etc/prometheus/alerts/*.yaml']);
  });

  test.each(watching)('%s reads the files of the chart, which are there, and writes none of them', (_, { volumes }) => {
    const mounted = volumes.filter((volume) => volume.startsWith('.'));
    expect(mounted.length).toBeGreaterThan(0);
    for (const volume of mounted) {
      const [source = '', , mode] = volume.split(':');
      expect(mode).toBe('ro');
      expect([source, existsSync(new URL(source, folder))]).toEqual([source, true]);
    }
    expect(mounted.some((volume) => volume.startsWith('../helm/bunri/files/'))).toBe(true);
  });

  test.each(watching)('%s is of a fixed release, and reachable from this machine alone', (_, { image, ports }) => {
    expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('in Grafana by the dashboards of the chart, from that Prometheus', () => {
    const read = (path: string): unknown =>
      parse(readFileSync(new URL(`grafana/provisioning/${path}`, folder), 'utf8'));
    expect(read('datasources/prometheus.yaml')).toMatchObject({
      datasources: [{ type: 'prometheus', url: 'http://prometheus:9090', isDefault: true }],
    });
    const { providers } = read('dashboards/bunri.yaml') as { providers: { options: { path: string } }[] };
    const paths = providers.map(({ options }) => options.path);
    const { volumes } = services['grafana'] as unknown as Watching;
    expect(volumes).toEqual(expect.arrayContaining(paths.map((path) => `../helm/bunri/files/dashboards:${path}:ro`)));
  });
});
