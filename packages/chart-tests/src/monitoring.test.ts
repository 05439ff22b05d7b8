import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import * as z from 'zod';
import { render, tryRender } from './chart.ts';
import { workloadsOf, type Manifest } from './manifests.ts';

const all = { podMonitor: { enabled: true }, prometheusRule: { enabled: true }, dashboards: { enabled: true } };
const added = render({ monitoring: all });
const files = new URL('../../../helm/bunri/files/', import.meta.url);

/** What is used of the operator's kinds, strictly: the API server takes an unknown field for a misspelt one and drops it. */
const labels = z.record(z.string(), z.string());
const metadata = z.strictObject({ name: z.string(), labels });
const podMonitorSchema = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('PodMonitor'),
  metadata,
  spec: z.strictObject({
    jobLabel: z.string(),
    selector: z.strictObject({ matchLabels: labels }),
    podMetricsEndpoints: z.array(
      z.strictObject({
        port: z.string(),
        path: z.string(),
        interval: z.string().regex(/^\d+s$/),
        scrapeTimeout: z.string().regex(/^\d+s$/),
      }),
    ),
  }),
});
const ruleSchema = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('PrometheusRule'),
  metadata,
  spec: z.strictObject({
    groups: z.array(
      z.strictObject({
        name: z.string(),
        rules: z.array(
          z.strictObject({
            alert: z.string(),
            expr: z.string(),
            for: z.string(),
            labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
            annotations: z.strictObject({ summary: z.string(), description: z.string(), runbook_url: z.string() }),
          }),
        ),
      }),
    ),
  }),
});

const ofKind = (manifests: readonly Manifest[], kind: string) => manifests.filter((manifest) => manifest.kind === kind);
const dashboardsOf = (manifests: readonly Manifest[]) =>
  ofKind(manifests, 'ConfigMap').filter((manifest) => 'grafana_dashboard' in manifest.metadata.labels);
const monitorOf = (manifests: readonly Manifest[]) => podMonitorSchema.parse(ofKind(manifests, 'PodMonitor')[0]);

test('nothing for Prometheus or Grafana is installed unless it is asked for', () => {
  const some = render();
  expect(ofKind(some, 'PodMonitor').concat(ofKind(some, 'PrometheusRule'), dashboardsOf(some))).toEqual([]);
});

test.each([
  ['podMonitor', [1, 0, 0]],
  ['prometheusRule', [0, 1, 0]],
  ['dashboards', [0, 0, readdirSync(new URL('dashboards', files)).length]],
])('%s has a switch of its own', (name, counts) => {
  const some = render({ monitoring: { [name]: { enabled: true } } });
  const found = [ofKind(some, 'PodMonitor'), ofKind(some, 'PrometheusRule'), dashboardsOf(some)];
  expect(found.map(({ length }) => length)).toEqual(counts);
});

describe('the pod monitor', () => {
  const { spec } = monitorOf(added);

  test('selects the pods of every app, by a port that they have, and no other pod', () => {
    const workloads = [...workloadsOf(render({ redis: { enabled: true } })).values()];
    const [{ port } = { port: '' }] = spec.podMetricsEndpoints;
    const scraped = workloads.filter(({ podLabels, container }) => {
      const { ports = [] } = container as { ports?: { name: string }[] };
      const selected = Object.entries(spec.selector.matchLabels).every(([key, value]) => podLabels[key] === value);
      return selected && ports.some(({ name }) => name === port);
    });
    const apps = workloads.filter(({ component }) => component !== 'redis');
    expect(scraped.map(({ component }) => component).toSorted()).toEqual(
      apps.map(({ component }) => component).toSorted(),
    );
  });

  test('is let in by the network policy of every app', () => {
    const policies = ofKind(added, 'NetworkPolicy').filter(
      ({ metadata: { name } }) => !/default-deny$|-test$/.test(name),
    );
    for (const { metadata: at, spec: policy } of policies) {
      const rules = (policy as { ingress?: { from?: object[]; ports: { port: number }[] }[] }).ingress ?? [];
      const scrape = rules.find(({ from = [] }) => JSON.stringify(from).includes('"monitoring"'));
      expect([at.name, scrape?.ports.map(({ port }) => port)]).toEqual([at.name, [8080]]);
    }
  });

  test('carries the labels that the operator selects by, and its times', () => {
    const monitor = { enabled: true, interval: '30s', labels: { release: 'prometheus' } };
    const { metadata: at, spec: changed } = monitorOf(render({ monitoring: { podMonitor: monitor } }));
    expect(at.labels).toMatchObject({ release: 'prometheus' });
    expect(changed.podMetricsEndpoints).toMatchObject([{ interval: '30s', scrapeTimeout: '10s' }]);
  });
});

describe('the rules', () => {
  const rulesIn = (some: readonly Manifest[]) => ruleSchema.parse(ofKind(some, 'PrometheusRule')[0]);

  test('are those of the generated files, unchanged', () => {
    const groups = readdirSync(new URL('alerts', files)).flatMap(
      (name) => (parse(readFileSync(new URL(`alerts/${name}`, files), 'utf8')) as { groups: object[] }).groups,
    );
    expect(rulesIn(added).spec.groups).toEqual(groups);
  });

  test('point to the runbook where the installation has it', () => {
    const runbookUrl = 'https://wiki.example.com/bunri';
    const some = render({ monitoring: { prometheusRule: { enabled: true, runbookUrl } } });
    for (const { rules } of rulesIn(some).spec.groups)
      for (const { alert, annotations } of rules)
        expect(annotations.runbook_url).toBe(`${runbookUrl}#${alert.toLowerCase()}`);
  });
});

describe('the dashboards', () => {
  test('are those of the generated files, each in a ConfigMap that the sidecar finds', () => {
    const contents = new Map(dashboardsOf(added).flatMap(({ data = {} }) => Object.entries(data)));
    const names = readdirSync(new URL('dashboards', files));
    expect([...contents.keys()].toSorted()).toEqual(names.toSorted());
    for (const name of names) {
      const file: unknown = JSON.parse(readFileSync(new URL(`dashboards/${name}`, files), 'utf8'));
      expect(JSON.parse(contents.get(name) ?? '')).toEqual(file);
    }
  });

  test('are small enough for a ConfigMap', () => {
    for (const { metadata: at, data } of dashboardsOf(added))
      expect([at.name, JSON.stringify(data).length < 900_000]).toEqual([at.name, true]);
  });
});

test.each([
  ['a switch', { podMonitor: { enable: true } }],
  ['a duration', { podMonitor: { interval: '15' } }],
  ['the address of the runbook', { prometheusRule: { runbookUrl: 'https://wiki.example.com/x#y' } }],
  ['a label', { dashboards: { labels: { grafana_dashboard: 1 } } }],
])('the chart refuses a mistake in %s', (_, monitoring) => {
  expect(tryRender({ monitoring })).toMatchObject({ ok: false });
});
