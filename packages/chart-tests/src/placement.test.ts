import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { stageNames, stageOrder, stages } from '@bunri/queue-contracts';
import { appNames } from './apps.ts';
import { readChartFile, render, tryRender } from './chart.ts';
import { totalsOf, workloadsOf, type Workload } from './manifests.ts';

const workloads = workloadsOf(render());
const workers = readChartFile()['workers'] as Record<string, { replicas: number; concurrency?: number }>;
const onPool = (pool: string) => [...workloads.values()].filter(({ pod }) => pod.nodeSelector['bunri/pool'] === pool);

describe('the two-node placement', () => {
  test('worker-1 is asked for 1350m and 1408Mi and limited to 4800m and 2816Mi', () => {
    expect(totalsOf(onPool('io'))).toEqual({
      pods: 6,
      requests: { cpu: 1350, memory: 1408 },
      limits: { cpu: 4800, memory: 2816 },
    });
  });

  test('worker-2 is asked for 800m and 2048Mi and limited to 4000m and 4096Mi', () => {
    expect(totalsOf(onPool('network'))).toEqual({
      pods: 8,
      requests: { cpu: 800, memory: 2048 },
      limits: { cpu: 4000, memory: 4096 },
    });
  });

  test('both together are asked for 2150m and 3456Mi by 14 pods', () => {
    const { pods, requests } = totalsOf([...onPool('io'), ...onPool('network')]);
    expect({ pods, requests }).toEqual({ pods: 14, requests: { cpu: 2150, memory: 3456 } });
  });

  test('workers and the scheduler run on worker nodes, and nothing else does', () => {
    const workersRunOn = Object.fromEntries([...workloads].map(([name, { pod }]) => [name, pod.nodeSelector]));
    const io = { workload: 'async-workers', 'bunri/pool': 'io' };
    const network = { workload: 'async-workers', 'bunri/pool': 'network' };
    expect(workersRunOn).toEqual({
      preprocess: io,
      rag: io,
      scheduler: io,
      vision: network,
      llm: network,
      api: { workload: 'api' },
    });
  });
});

describe('the stage catalogue, the values and the folders of apps agree', () => {
  test('on the names of the stages, whose dots no name in Kubernetes should have', () => {
    expect(Object.keys(workers).toSorted()).toEqual(stageNames.map((stage) => stage.replace('.', '-')).toSorted());
    expect(appNames()).toEqual([...stageOrder.map((stage) => `${stage}-worker`), 'api', 'scheduler'].toSorted());
  });

  test.each(stageOrder)('on the replicas and the concurrency of %s', (stage) => {
    const { replicas, concurrency } = stages[stage];
    expect(workers[stage]).toMatchObject({ replicas, concurrency });
    expect(workloads.get(stage)?.replicas).toBe(replicas);
  });

  test('on the names of the images', () => {
    const images = [...workloads.values()].map(({ container }) => container.image);
    expect(images.toSorted()).toEqual(appNames().map((app) => `registry.example.com/bunri/${app}:0.1.0`));
  });
});

describe('the worker of the local model', () => {
  const on = workloadsOf(render({ workers: { 'vision-local': { replicas: 2 } } })).get('vision-local');

  test('is off by default, and nothing of it is rendered', () => {
    expect(workers['vision-local']?.replicas).toBe(stages['vision.local'].replicas);
    expect(render().filter(({ metadata }) => metadata.name.includes('vision-local'))).toEqual([]);
  });

  test('is the app of vision with another queue, and finds its own concurrency', () => {
    expect(on).toMatchObject({ name: 'bunri-vision-local-worker', replicas: 2 });
    expect(on?.container.image).toBe('registry.example.com/bunri/vision-worker:0.1.0');
    expect(workers['vision-local']).not.toHaveProperty('concurrency');
  });

  test('has room for the model: what it may hold, and half as much for the worker', () => {
    expect(totalsOf(on ? [{ ...on, replicas: 1 }] : []).limits.memory).toBeGreaterThanOrEqual(384 * 1.5);
  });
});

describe('the scheduler', () => {
  test('is one pod that ends before the next one starts', () => {
    expect(workloads.get('scheduler')).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
  });

  test('cannot be given a second replica or another strategy', () => {
    for (const scheduler of [{ replicas: 2 }, { strategy: { type: 'RollingUpdate' } }]) {
      expect(tryRender({ scheduler })).toMatchObject({
        ok: false,
        output: expect.stringContaining('not allowed'),
      });
    }
  });
});

test.each([...stageOrder, 'api'])('incident: all pods of a stage on one node: %s', (component) => {
  const { replicas = 0, pod } = workloads.get(component) ?? {};
  expect(replicas).toBeGreaterThan(1);
  expect(pod?.topologySpreadConstraints).toHaveLength(1);
  const [spread] = pod?.topologySpreadConstraints ?? [];
  expect(spread).toMatchObject({ topologyKey: 'kubernetes.io/hostname', maxSkew: 1 });
  // Within the pool: nodes outside of it, which would always be empty, do not count. That is the API's default.
  expect(spread?.nodeAffinityPolicy ?? 'Honor').toBe('Honor');
  // The new pods of a roll-out among themselves, as the old ones are about to go.
  expect(spread?.matchLabelKeys).toEqual(['pod-template-hash']);
  const counted = [...workloads.values()].filter(({ podLabels }) =>
    Object.entries(spread?.labelSelector.matchLabels ?? {}).every(([key, value]) => podLabels[key] === value),
  );
  expect(counted.map((workload) => workload.component)).toEqual([component]);
});

describe('every pod of an app', () => {
  const each = [...workloads.values()].map((workload) => [workload.component, workload] as const);

  test.each(each)('%s is stopped no sooner than it has drained and released what it holds', (_, { pod }) => {
    const graceMs = readChartFile()['graceMs'] as number;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan((graceMs + 5_000) / 1000);
  });

  test('is given more time to stop when it may work for longer', () => {
    for (const { pod } of workloadsOf(render({ graceMs: 90_500 })).values()) {
      expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(95.5);
    }
  });

  test.each(each)('%s runs Node with the options of the image, but for the size of the heap', (_, { container }) => {
    const image = readFileSync(new URL('../../../docker/Dockerfile', import.meta.url), 'utf8');
    const others = (options: string | undefined) => options?.replace(/--max-old-space-size=\d+/, '').trim();
    const options = container.env.find(({ name }) => name === 'NODE_OPTIONS')?.value;
    expect(others(options)).toBe(others(/NODE_OPTIONS="([^"]+)"/.exec(image)?.[1]));
  });

  test.each(each)('%s has a heap that leaves room for what lies outside it', (_, workload) => {
    const limitMb = totalsOf([{ ...workload, replicas: 1 }]).limits.memory;
    expect(heapMb(workload)).toBeGreaterThanOrEqual(128);
    expect(heapMb(workload)).toBeLessThan(limitMb * 0.7);
  });

  test.each(each)(
    'incident: a health probe that times out because workers are busy and so kills them: %s',
    (_, workload) => {
      const { startupProbe, livenessProbe, readinessProbe } = workload.container;
      expect(startupProbe?.httpGet?.path).toBe('/healthz');
      expect(livenessProbe?.httpGet?.path).toBe('/healthz');
      // It asks the event loop alone, and kills after a minute of silence.
      expect((livenessProbe?.periodSeconds ?? 0) * (livenessProbe?.failureThreshold ?? 0)).toBeGreaterThanOrEqual(60);
      expect(readinessProbe?.httpGet?.path).toBe('/readyz');
    },
  );

  test.each([...each, ['redis', redisOf()] as const])('%s runs without any privilege', (_, { pod, container }) => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });
});

function heapMb({ container }: Workload): number {
  const options = container.env.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? '';
  return Number(/--max-old-space-size=(\d+)/.exec(options)?.[1]);
}

function redisOf(): Workload {
  const redis = workloadsOf(render({ redis: { enabled: true } })).get('redis');
  if (redis === undefined) throw new Error('There is no Redis.');
  return redis;
}
