import { beforeAll, describe, expect, test } from '@jest/globals';
import type { z } from 'zod';
import { appNames, configSchemaOf, importTimeoutMs, problemsOf, sampleSecrets } from './apps.ts';
import { readChartFile, render, tryRender } from './chart.ts';
import { environmentOf, workloadsOf, type Workload } from './manifests.ts';

const manifests = render();
/** Every optional value given. */
const fullManifests = render({
  storage: { endpoint: 'https://s3.example.com' },
  modelApi: {
    baseUrl: 'https://models.example.com/v1',
    fallbackBaseUrl: 'https://others.example.com/v1',
    prices: { 'gpt-5': { input: 1, cachedInput: 0.1, output: 10 } },
    limits: { 'gpt-5': { requestsPerMinute: 500 } },
  },
  models: { visionReasoningEffort: 'low', visionAllowed: ['gpt-4o', 'org/model:1'] },
  workers: { 'vision-local': { replicas: 1 } },
  spendingCaps: { usdPerDay: 100, usdPerOwner: 2.5 },
  secrets: { webhooks: 'bunri-webhooks', tracing: 'bunri-tracing' },
  tracing: { enabled: true, endpoint: 'http://collector.monitoring:4318', sampleRatio: 0.1 },
});
const byApp = (some: typeof manifests) =>
  new Map([...workloadsOf(some).values()].map((workload) => [appOf(workload), workload]));
const workloads = byApp(manifests);
const fullWorkloads = byApp(fullManifests);
const installations = [
  { some: manifests, of: workloads },
  { some: fullManifests, of: fullWorkloads },
];

describe.each(appNames())('the settings of %s', (app) => {
  let schema: z.ZodObject;
  beforeAll(async () => {
    schema = await configSchemaOf(app);
  }, importTimeoutMs);

  test('that the chart gives are settings that it reads', () => {
    const given = installations.flatMap(({ some, of }) => [...environmentOf(some, found(of, app)).keys()]);
    const read = Object.keys(schema.shape);
    expect(given.filter((name) => name !== 'NODE_OPTIONS' && !read.includes(name))).toEqual([]);
  });

  test('that it requires are all given, and valid', () => {
    for (const { some, of } of installations) {
      const environment = environmentOf(some, found(of, app));
      expect(problemsOf(schema, environment)).toEqual([]);
    }
  });
});

describe('a setting', () => {
  const schemas = new Map<string, z.ZodObject>();
  beforeAll(async () => {
    for (const app of appNames()) schemas.set(app, await configSchemaOf(app));
  }, importTimeoutMs);

  /** What the chart sets from values of its own, under other names. */
  const setByChart = () =>
    new Set([...fullWorkloads.values()].flatMap((one) => [...environmentOf(fullManifests, one).keys()]));
  /** What the chart itself gives as `settings`, and anybody else may as well. */
  const givenAsSettings = () => {
    const { workers } = readChartFile('values.yaml') as { workers: Record<string, { settings: object }> };
    return Object.values(workers).flatMap(({ settings }) => Object.keys(settings));
  };
  /** The chart mounts no key file, and its network policies lead URLs of clients nowhere but to public addresses, port 443. */
  const notForClusters = [
    'DEMO',
    'API_KEYS_FILE',
    'ALLOW_HTTP_IMAGE_URLS',
    'IMAGE_URL_ADDRESSES',
    'ALLOW_HTTP_WEBHOOKS',
    'WEBHOOK_ADDRESSES',
    'WEBHOOK_PORTS',
  ];

  test('of any app can be given through the chart', () => {
    const schema = readChartFile('values.schema.json') as {
      $defs: { settings: { propertyNames: { enum: string[] } } };
    };
    const read = new Set([...schemas.values()].flatMap(({ shape }) => Object.keys(shape)));
    const fixed = new Set([...setByChart(), ...notForClusters]);
    for (const name of givenAsSettings()) fixed.delete(name);
    const others = [...read].filter((name) => !fixed.has(name));
    expect(schema.$defs.settings.propertyNames.enum).toEqual(others.toSorted());
  });

  test('of one app reaches that app alone', () => {
    const some = render({ workers: { vision: { settings: { VISION_FALLBACKS: 'primary:gpt-4o' } } } });
    const told = [...workloads].filter(([, one]) => environmentOf(some, one).has('VISION_FALLBACKS'));
    expect(told.map(([app]) => app)).toEqual(['vision-worker']);
  });

  test.each([
    'VISION_MODEL',
    'VISION_MODELS',
    'VISION_REASONING_EFFORT',
    'LLM_MODEL',
    'CONTEXT_TOKEN_BUDGET',
    'OPENAI_BASE_URL',
    'SPENDING_CAP_USD_PER_DAY',
    'SPENDING_CAP_USD_PER_OWNER',
    'IMAGE_RETENTION_DAYS',
    'RECORD_RETENTION_HOURS',
    'CACHE_RETENTION_HOURS',
    'REDIS_PREFIX',
    'S3_BUCKET',
    'TRACING',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_TRACES_SAMPLER_ARG',
  ])('%s has one value in all apps that read it', (name) => {
    const readers = [...schemas].filter(([, { shape }]) => name in shape).map(([app]) => app);
    const values = readers.map((app) => environmentOf(fullManifests, found(fullWorkloads, app)).get(name));
    expect(new Set(values).size).toBe(1);
    expect(values).not.toContain(undefined);
  });
});

describe('the worker of the local model', () => {
  test(
    'is given settings that the app of vision reads, and all that it requires, without a key of any API',
    async () => {
      const environment = environmentOf(fullManifests, found(fullWorkloads, 'vision-local-worker'));
      const schema = await configSchemaOf('vision-worker');
      expect([...environment.keys()].filter((name) => name !== 'NODE_OPTIONS' && !(name in schema.shape))).toEqual([]);
      expect(problemsOf(schema, environment)).toEqual([]);
      expect(environment.get('VISION_QUEUE')).toBe('vision.local');
      expect([...environment.keys()].filter((name) => name.endsWith('_API_KEY'))).toEqual([]);
    },
    importTimeoutMs,
  );
});

describe('without a model API', () => {
  const builtIn = { secrets: { modelApi: '' }, models: { vision: 'local', llm: 'rules' } };

  test(
    'no key is asked for, and the workers start without one',
    async () => {
      const some = render(builtIn);
      for (const app of ['vision-worker', 'llm-worker']) {
        const environment = environmentOf(some, found(byApp(some), app));
        expect(environment.has('OPENAI_API_KEY')).toBe(false);
        expect(problemsOf(await configSchemaOf(app), environment)).toEqual([]);
      }
    },
    importTimeoutMs,
  );

  test.each([
    ['models.vision', { models: { vision: 'gpt-5' } }],
    ['models.llm', { models: { llm: 'gpt-4o-mini' } }],
    ['models.visionAllowed', { models: { visionAllowed: ['gpt-4o'] } }],
    ['VISION_FALLBACKS', { workers: { vision: { settings: { VISION_FALLBACKS: 'primary:gpt-4o' } } } }],
    ['LLM_FALLBACKS', { workers: { llm: { settings: { LLM_FALLBACKS: 'fallback:qwen2.5,rules' } } } }],
  ])('the key is asked for as soon as %s names a model of one', (_value, more) => {
    expect(tryRender(builtIn, more)).toMatchObject({
      ok: false,
      output: expect.stringContaining('secrets.modelApi'),
    });
  });
});

describe('a secret', () => {
  test('is a reference in the pod, never a value and never in a ConfigMap', () => {
    for (const some of [manifests, fullManifests, render({ redis: { enabled: true } })]) {
      for (const workload of workloadsOf(some).values()) {
        const environment = environmentOf(some, workload);
        const secrets = [...environment].filter(([name]) => name in sampleSecrets || /PASSWORD|TOKEN$/.test(name));
        expect(secrets.map(([, value]) => value)).toEqual(secrets.map(() => undefined));
      }
      expect(some.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    }
  });

  test('with the keys of clients is asked for unless they are in Redis, and the api starts without it then', async () => {
    const without = { secrets: { clientKeys: '' } };
    const inRedis = (value: string) => ({ api: { settings: { API_KEYS_IN_REDIS: value } } });
    expect(tryRender(without, inRedis('false'))).toMatchObject({ ok: false });
    const some = render(without, inRedis('true'));
    const environment = environmentOf(some, found(byApp(some), 'api'));
    expect(environment.has('API_KEYS')).toBe(false);
    expect(problemsOf(await configSchemaOf('api'), environment)).toEqual([]);
    // Both kinds of keys may be used beside each other.
    const both = render(inRedis('true'));
    expect(environmentOf(both, found(byApp(both), 'api')).has('API_KEYS')).toBe(true);
  });

  test('is named by every installation, and all that is missing is said at once', () => {
    const nothing = { image: { registry: '' }, storage: { bucket: '' }, networkPolicy: { redis: { to: [] } } };
    const secrets = { redis: '', storage: '', modelApi: '', clientKeys: '' };
    const { ok, output } = tryRender({ ...nothing, secrets });
    expect(ok).toBe(false);
    for (const value of ['image.registry', 'storage.bucket', 'networkPolicy.redis.to']) expect(output).toContain(value);
    for (const name of Object.keys(secrets)) expect(output).toContain(`secrets.${name}`);
  });
});

function appOf({ name }: Workload): string {
  return name.replace(/^bunri-/, '');
}

function found<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key);
  if (value === undefined) throw new Error(`There is no ${key}.`);
  return value;
}
