import { describe, expect, test } from '@jest/globals';
import { render } from './chart.ts';
import type { Manifest } from './manifests.ts';

interface Rule {
  readonly to?: readonly Peer[];
  readonly from?: readonly Peer[];
  readonly ports: readonly { port: number; protocol: string }[];
}

interface Peer {
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
  readonly namespaceSelector?: { readonly matchLabels: Record<string, string> };
  readonly podSelector?: { readonly matchLabels: Record<string, string> };
}

interface Policy {
  readonly podSelector: { readonly matchLabels: Record<string, string> };
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

const storage = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'storage' } } };
const policies = policiesOf(
  render({ storage: { endpoint: 'http://s3.storage:9000' }, networkPolicy: { storage: { to: [storage] } } }),
);

describe('the ways out of a pod', () => {
  test.each([
    ['preprocess', ['dns', 'redis', 'storage', 'public:443']],
    ['vision', ['dns', 'redis', 'storage', 'public:443']],
    ['rag', ['dns', 'redis']],
    ['llm', ['dns', 'redis', 'public:443']],
    ['scheduler', ['dns', 'redis', 'storage']],
    ['api', ['dns', 'redis', 'storage']],
  ])('%s reaches only %j', (component, edges) => {
    expect(policyOf(component).egress?.map(edgeOf)).toEqual(edges);
  });

  test('that lead to public addresses lead to no private one', () => {
    const peers = policyOf('llm').egress?.flatMap((rule) => (edgeOf(rule) === 'public:443' ? (rule.to ?? []) : []));
    const [v4, v6] = peers ?? [];
    expect(v4?.ipBlock?.except).toEqual(
      expect.arrayContaining(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '127.0.0.0/8']),
    );
    // Global unicast: neither unique local (fc00::/7) nor link-local (fe80::/10) nor loopback.
    expect(v6?.ipBlock).toEqual({ cidr: '2000::/3' });
  });

  test('of preprocess to public addresses are closed with image URLs', () => {
    const closed = policiesOf(
      render({ networkPolicy: { imageUrls: { enabled: false }, storage: { to: [storage] } } }),
    ).get('bunri-preprocess-worker');
    expect(closed?.egress?.map(edgeOf)).not.toContain('public:443');
  });

  test('of the api to public addresses are open once it has the key for webhooks', () => {
    const some = policiesOf(
      render({
        secrets: { webhooks: 'bunri-webhooks' },
        storage: { endpoint: 'http://s3.storage:9000' },
        networkPolicy: { storage: { to: [storage] } },
      }),
    );
    expect(some.get('bunri-api')?.egress?.map(edgeOf)).toEqual(['dns', 'redis', 'storage', 'public:443']);
  });

  test('to S3 and the model API follow the ports of their URLs', () => {
    const some = policiesOf(
      render({
        storage: { endpoint: 'https://s3.example.com' },
        modelApi: { baseUrl: 'http://models.example.com:8000/v1' },
      }),
    ).get('bunri-vision-worker');
    expect(some?.egress?.map(edgeOf)).toEqual(['dns', 'redis', 'public:443', 'public:8000']);
  });

  test('lead to the sentinels of Redis where there are some', () => {
    const rule = (sentinelPort: number | null) =>
      policiesOf(render({ networkPolicy: { redis: { sentinelPort } } })).get('bunri-rag-worker')?.egress?.[1]?.ports;
    expect(rule(26_379)?.map(({ port }) => port)).toEqual([6_379, 26_379]);
    expect(rule(null)?.map(({ port }) => port)).toEqual([6_379]);
  });

  test('lead to every port of a cluster of Redis', () => {
    const clusterPorts = [{ port: 6_380 }, { port: 13_000, endPort: 13_999 }];
    const portsOf = (values: object) => policiesOf(render(values)).get('bunri-rag-worker')?.egress?.[1]?.ports;
    const external = { networkPolicy: { redis: { clusterPorts } } };
    expect(portsOf(external)).toEqual(
      [{ port: 6_379 }, ...clusterPorts].map((ports) => ({ ...ports, protocol: 'TCP' })),
    );
    expect(portsOf({ ...external, redis: { enabled: true } })).toEqual([{ port: 6_379, protocol: 'TCP' }]);
  });

  test('to a model API are closed for workers that ask none', () => {
    const some = policiesOf(
      render({
        models: { vision: 'local', llm: 'rules' },
        workers: { 'vision-local': { replicas: 1 } },
        storage: { endpoint: 'http://s3.storage:9000' },
        networkPolicy: { storage: { to: [storage] } },
      }),
    );
    const edges = (name: string) => some.get(`bunri-${name}-worker`)?.egress?.map(edgeOf);
    expect(edges('vision')).toEqual(['dns', 'redis', 'storage']);
    expect(edges('vision-local')).toEqual(['dns', 'redis', 'storage']);
    expect(edges('llm')).toEqual(['dns', 'redis']);
  });

  test('lead from every pod to the collector of traces, with tracing on alone', () => {
    const tracing = { enabled: true, endpoint: 'http://collector.monitoring:4318' };
    const collector = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };
    const some = policiesOf(render({ tracing, networkPolicy: { tracing: { to: [collector] } } }));
    const rule = { to: [collector], ports: [{ port: 4318, protocol: 'TCP' }] };
    const apps = [...some].flatMap(([name, { egress }]) => (egress && name !== 'bunri-test' ? [egress.at(-1)] : []));
    expect(apps).toEqual(apps.map(() => rule));
    expect(apps).toHaveLength(6);
    expect(JSON.stringify([...policies.values()])).not.toContain('4318');
  });

  test('to a second model API are open for those who call models, once it is given', () => {
    const some = policiesOf(render({ modelApi: { fallbackBaseUrl: 'http://models.example.com:8000/v1' } }));
    const edges = (name: string) => some.get(name)?.egress?.map(edgeOf);
    expect(edges('bunri-llm-worker')).toEqual(['dns', 'redis', 'public:443', 'public:8000']);
    expect(edges('bunri-api')).toEqual(['dns', 'redis', 'public:443']);
  });
});

describe('the ways into a pod', () => {
  test('are closed for every pod of the release that no other policy names', () => {
    expect(policies.get('bunri-default-deny')).toEqual({
      podSelector: { matchLabels: { 'app.kubernetes.io/name': 'bunri', 'app.kubernetes.io/instance': 'bunri' } },
      policyTypes: ['Ingress', 'Egress'],
    });
  });

  test.each(['preprocess', 'vision', 'rag', 'llm', 'scheduler'])('let only the scraper reach %s', (component) => {
    const scraper = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };
    expect(policyOf(component).ingress).toEqual([{ from: [scraper], ports: [{ port: 8080, protocol: 'TCP' }] }]);
  });

  test('let the pods of the release, and nobody else, reach a Redis in the cluster', () => {
    const redis = policiesOf(render({ redis: { enabled: true } })).get('bunri-redis');
    const release = { 'app.kubernetes.io/name': 'bunri', 'app.kubernetes.io/instance': 'bunri' };
    expect(redis?.ingress).toEqual([
      { from: [{ podSelector: { matchLabels: release } }], ports: [{ port: 6379, protocol: 'TCP' }] },
    ]);
    expect(redis?.egress).toBeUndefined();
  });

  test('let the pod of `helm test` reach the api and nothing else, also where few may call it', () => {
    const from = [{ namespaceSelector: { matchLabels: { name: 'ingress' } } }];
    const manifests = render({ networkPolicy: { clients: { from } } });
    const some = policiesOf(manifests);
    const pod = manifests.find(({ kind }) => kind === 'Pod');
    const { podSelector, ingress, egress = [] } = some.get('bunri-test') ?? { podSelector: { matchLabels: {} } };
    expect(pod?.metadata.labels).toMatchObject(podSelector.matchLabels);
    expect([ingress, egress.length]).toEqual([undefined, 2]);
    const [dns, api] = egress;
    expect(edgeOf(dns ?? { ports: [] })).toBe('dns');
    expect(api?.to?.map((peer) => peer.podSelector)).toEqual([some.get('bunri-api')?.podSelector]);
    expect(some.get('bunri-api')?.ingress?.at(-1)?.from).toEqual([...from, { podSelector }]);
  });

  test('name a pod by labels that the pod has', () => {
    const manifests = render({ redis: { enabled: true } });
    for (const { metadata, spec } of manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')) {
      const { template } = spec as { template: { metadata: { labels: Record<string, string> } } };
      const labels = policiesOf(manifests).get(metadata.name)?.podSelector.matchLabels;
      expect(labels).toBeDefined();
      expect(template.metadata.labels).toMatchObject(labels ?? {});
    }
  });
});

function policiesOf(manifests: readonly Manifest[]): Map<string, Policy> {
  const found = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
  return new Map(found.map(({ metadata, spec }) => [metadata.name, spec as Policy]));
}

function policyOf(component: string): Policy {
  const policy = policies.get(`bunri-${component}-worker`) ?? policies.get(`bunri-${component}`);
  if (policy === undefined) throw new Error(`There is no policy of ${component}.`);
  return policy;
}

/** What a rule leads to, in one word. */
function edgeOf({ to = [], ports }: Rule): string {
  const numbers = [...new Set(ports.map(({ port }) => port))].join();
  const cidrs = to.map(({ ipBlock }) => ipBlock?.cidr);
  if (cidrs.join() === '0.0.0.0/0,2000::/3') return `public:${numbers}`;
  if (cidrs.join() === '10.20.30.40/32' && numbers === '6379') return 'redis';
  const labels = to.map(({ podSelector, namespaceSelector }) => podSelector ?? namespaceSelector);
  const values = labels.flatMap((selector) => Object.values(selector?.matchLabels ?? {}));
  if (values.join() === 'kube-dns' && numbers === '53') return 'dns';
  if (values.join() === 'storage' && numbers === '9000') return 'storage';
  return `unexpected ${JSON.stringify({ to, ports })}`;
}
