import { describe, expect, test } from '@jest/globals';
import { render, tryRender } from './chart.ts';
import { everySwitch, installations } from './installations.ts';
import { totalsOf, workloadsOf, type Manifest, type Workload } from './manifests.ts';
import { schedule, type Node } from './schedule.ts';

describe('autoscaling', () => {
  const scaled = (values: object) =>
    new Map(
      render(everySwitch, values).flatMap((manifest) =>
        manifest.kind === 'ScaledObject' ? [[manifest.metadata.name, manifest.spec as Scaled]] : [],
      ),
    );

  test('never starts more pods of a stage than the limit of its model can keep busy', () => {
    const of = (requestsPerMinute: number) =>
      scaled({ modelApi: { limits: { 'gpt-5': { requestsPerMinute } } } }).get('bunri-vision-worker')?.maxReplicaCount;
    // 20 slots of 4 s a pod: 300 calls a minute each.
    expect(of(2_000)).toBe(7);
    expect(of(100_000)).toBe(12);
    // Fewer than there are without scaling would be a scale-in by configuration.
    expect(of(60)).toBe(5);
  });

  test('is decided for each stage by its own queue alone, in its own namespace', () => {
    const workers = { 'vision-local': { concurrency: 1 } };
    const stages = { 'vision-local': { maxReplicas: 3, waitSeconds: 5 } };
    const objects = scaled({ workers, autoscaling: { stages } });
    const of = (queue: string) => `namespace="workers", queue="${queue}"`;
    expect(objects.size).toBe(5);
    for (const queue of ['preprocess', 'vision', 'vision.local', 'rag', 'llm']) {
      const { triggers = [] } = objects.get(`bunri-${queue.replace('.', '-')}-worker`) ?? {};
      expect(triggers.map(({ metadata }) => metadata.query)).toEqual([
        `max(bunri_queue_class_oldest_seconds{${of(queue)}, class="interactive"})`,
        `sum(max by (state) (bunri_queue_jobs{${of(queue)}, state=~"waiting|prioritized|active"}))`,
      ]);
    }
  });

  test('keeps the pods that there are while nothing is known of the queues', () => {
    for (const { triggers, ...spec } of scaled({}).values()) {
      expect(spec).not.toHaveProperty('fallback');
      for (const { metadata } of triggers) expect(metadata).toMatchObject({ ignoreNullValues: 'false' });
    }
  });

  test('of a worker without a concurrency is refused, as there is nothing to scale by', () => {
    const { ok, output } = tryRender(everySwitch, {
      autoscaling: { stages: { 'vision-local': { maxReplicas: 3, waitSeconds: 5 } } },
    });
    expect([ok, output]).toEqual([false, expect.stringContaining('no concurrency')]);
  });

  test('owns the number of pods: an upgrade does not set it back', () => {
    const replicas = (values: object) => workloadsOf(render(everySwitch, values)).get('vision')?.replicas;
    expect(replicas({})).toBeUndefined();
    expect(replicas({ autoscaling: { enabled: false } })).toBe(5);
  });

  test('without a Prometheus is refused, and so are a route without a gateway and an ingress without a name', () => {
    const { ok, output } = tryRender({
      autoscaling: { enabled: true },
      api: { gateway: { enabled: true }, ingress: { enabled: true } },
    });
    expect(ok).toBe(false);
    for (const missing of ['autoscaling.prometheus', 'api.gateway.parentRefs', 'api.ingress.host'])
      expect(output).toContain(missing);
  });
});

interface Scaled {
  readonly maxReplicaCount: number;
  readonly triggers: readonly { readonly metadata: { readonly query: string } }[];
}

/** What is left of 2 vCPU and 4 GiB for pods, beside kubelet, system and the daemons of a cluster. */
const allocatable = { cpu: 1_900, memory: 3_500 };
const node = (name: string, labels: Record<string, string>): Node => ({ name, labels, ...allocatable });
const io = { workload: 'async-workers', 'bunri/pool': 'io' };
const network = { workload: 'async-workers', 'bunri/pool': 'network' };
const apiNode = node('api-1', { workload: 'api' });

describe('the scheduler of a cluster', () => {
  const workloads = podsOf(render());

  test('finds a place for every pod on two worker nodes and one of the api', () => {
    const { pending } = schedule(workloads, [node('worker-1', io), node('worker-2', network), apiNode]);
    expect(pending).toEqual([]);
  });

  test('leaves a pool waiting whose only node is lost, and the other as it was', () => {
    const { pending, placed } = schedule(workloads, [node('worker-2', network), apiNode]);
    expect(new Set(pending)).toEqual(new Set(['preprocess', 'rag', 'scheduler']));
    expect(placed.get('worker-2')).toHaveLength(8);
  });

  test('keeps every stage going when one of two nodes of a pool is lost', () => {
    const spare = [node('worker-1', io), node('worker-3', io), node('worker-2', network), node('worker-4', network)];
    for (const lost of spare) {
      const { placed } = schedule(workloads, [...spare.filter(({ name }) => name !== lost.name), apiNode]);
      const running = new Set([...placed.values()].flat());
      expect(running).toEqual(new Set(['preprocess', 'rag', 'scheduler', 'vision', 'llm', 'api']));
    }
  });

  test('finds a place for everything on one node, Redis included, with the values of one node', () => {
    const pods = podsOf(render(...(installations['one node'] ?? [])));
    const { pending } = schedule(pods, [node('laptop', {})]);
    expect(pending).toEqual([]);
    expect(pods.map(({ component }) => component)).toContain('redis');
  });
});

function podsOf(manifests: readonly Manifest[]): Workload[] {
  return [...workloadsOf(manifests).values()];
}

test('the requests of the default installation leave worker nodes room for a roll-out', () => {
  const { requests } = totalsOf(podsOf(render()).filter(({ pod }) => pod.nodeSelector['bunri/pool'] === 'network'));
  expect(requests.cpu + 100).toBeLessThanOrEqual(allocatable.cpu);
  expect(requests.memory + 2 * 256).toBeLessThanOrEqual(allocatable.memory);
});
