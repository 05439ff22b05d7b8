/** The parts of Kubernetes objects that the tests look at. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Record<string, string> };
  readonly spec?: unknown;
  readonly data?: Record<string, string>;
}

interface Resources {
  readonly cpu: string;
  readonly memory: string;
}

interface Container {
  readonly image: string;
  readonly env: readonly {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef: { name: string; key: string } };
  }[];
  readonly envFrom?: readonly { configMapRef: { name: string } }[];
  readonly resources: { readonly requests: Resources; readonly limits: Resources };
  readonly securityContext: object;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

interface TopologySpread {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly labelSelector: { readonly matchLabels: Record<string, string> };
  readonly matchLabelKeys?: readonly string[];
  readonly nodeAffinityPolicy?: 'Honor' | 'Ignore';
}

export interface Workload {
  readonly name: string;
  readonly kind: string;
  /** A stage, `scheduler`, `api` or `redis`. */
  readonly component: string;
  readonly replicas: number;
  readonly strategy: unknown;
  readonly podLabels: Record<string, string>;
  readonly pod: PodSpec;
  readonly container: Container;
}

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly nodeSelector: Record<string, string>;
  readonly topologySpreadConstraints?: readonly TopologySpread[];
  readonly securityContext: object;
  readonly containers: readonly Container[];
}

/** Everything that runs pods, by component. */
export function workloadsOf(manifests: readonly Manifest[]): Map<string, Workload> {
  const workloads = manifests.flatMap(({ kind, metadata, spec }) => {
    if (kind !== 'Deployment' && kind !== 'StatefulSet') return [];
    const { replicas, strategy, template } = spec as {
      replicas: number;
      strategy: unknown;
      template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    };
    const [container] = template.spec.containers;
    if (container === undefined) throw new Error(`${metadata.name} has no container.`);
    const component = metadata.labels['app.kubernetes.io/component'] ?? '';
    const podLabels = template.metadata.labels;
    return { name: metadata.name, kind, component, replicas, strategy, podLabels, pod: template.spec, container };
  });
  return new Map(workloads.map((workload) => [workload.component, workload]));
}

/** The names and values of a container's environment; a secret's value is `undefined`. */
export function environmentOf(
  manifests: readonly Manifest[],
  { container }: Workload,
): Map<string, string | undefined> {
  const environment = new Map<string, string | undefined>();
  for (const { configMapRef } of container.envFrom ?? []) {
    const map = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name);
    if (map?.data === undefined) throw new Error(`There is no ConfigMap ${configMapRef.name}.`);
    for (const [name, value] of Object.entries(map.data)) environment.set(name, value);
  }
  for (const { name, value } of container.env) environment.set(name, value);
  return environment;
}

/** Sums over pods: CPU in millicores, memory in MiB. */
export interface Totals {
  readonly pods: number;
  readonly requests: { readonly cpu: number; readonly memory: number };
  readonly limits: { readonly cpu: number; readonly memory: number };
}

export function totalsOf(workloads: readonly Workload[]): Totals {
  const sum = (pick: (container: Container) => string, unit: string) =>
    workloads.reduce((total, { replicas, container }) => total + replicas * amount(pick(container), unit), 0);
  const resources = (part: 'requests' | 'limits') => ({
    cpu: sum(({ resources }) => resources[part].cpu, 'm'),
    memory: sum(({ resources }) => resources[part].memory, 'Mi'),
  });
  return {
    pods: workloads.reduce((total, { replicas }) => total + replicas, 0),
    requests: resources('requests'),
    limits: resources('limits'),
  };
}

/** A Kubernetes quantity as a number. @throws when it is written in another unit. */
function amount(quantity: string, unit: string): number {
  if (!quantity.endsWith(unit)) throw new Error(`${quantity} is not in ${unit}.`);
  return Number(quantity.slice(0, -unit.length));
}
