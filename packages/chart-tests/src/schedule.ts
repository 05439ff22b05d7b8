import { totalsOf, type Workload } from './manifests.ts';

/** A node with what it has for pods: CPU in millicores, memory in MiB. */
export interface Node {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cpu: number;
  readonly memory: number;
}

export interface Schedule {
  /** Components by node, one entry a pod. */
  readonly placed: ReadonlyMap<string, readonly string[]>;
  /** Components that found no node, one entry a pod. */
  readonly pending: readonly string[];
}

/**
 * Places pods as the scheduler of a cluster does in outline: on a node with the labels that it asks for and room for its
 * requests, on the one with the fewest pods of its kind, then with the most memory left. Larger pods go first.
 */
export function schedule(workloads: readonly Workload[], nodes: readonly Node[]): Schedule {
  const left = new Map(nodes.map(({ name, cpu, memory }) => [name, { cpu, memory }]));
  const placed = new Map<string, string[]>(nodes.map(({ name }) => [name, []]));
  const pending: string[] = [];
  const pods = workloads
    .flatMap((workload) => Array.from({ length: workload.replicas }, () => workload))
    .toSorted((a, b) => requestsOf(b).memory - requestsOf(a).memory);
  for (const { component, pod, ...rest } of pods) {
    const wanted = requestsOf({ component, pod, ...rest });
    const [best] = nodes
      .filter(({ labels }) => Object.entries(pod.nodeSelector ?? {}).every(([key, value]) => labels[key] === value))
      .filter(({ name }) => fits(wanted, left.get(name)))
      .toSorted((a, b) => {
        const same = ({ name }: Node) => (placed.get(name) ?? []).filter((each) => each === component).length;
        return same(a) - same(b) || (left.get(b.name)?.memory ?? 0) - (left.get(a.name)?.memory ?? 0);
      });
    if (best === undefined) {
      pending.push(component);
      continue;
    }
    const room = left.get(best.name) ?? { cpu: 0, memory: 0 };
    left.set(best.name, { cpu: room.cpu - wanted.cpu, memory: room.memory - wanted.memory });
    placed.get(best.name)?.push(component);
  }
  return { placed, pending };
}

interface Amount {
  readonly cpu: number;
  readonly memory: number;
}

function fits(wanted: Amount, room: Amount | undefined): boolean {
  return room !== undefined && wanted.cpu <= room.cpu && wanted.memory <= room.memory;
}

function requestsOf(workload: Workload): Amount {
  return totalsOf([{ ...workload, replicas: 1 }]).requests;
}
