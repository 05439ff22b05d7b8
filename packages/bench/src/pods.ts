import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { appNames, type AppName } from '@bunri/cli/system';

/** How the chart and the image run an app. */
export interface Pods {
  readonly replicas: number;
  /** Environment of each process, as far as it is not about where other systems are. */
  readonly env: Readonly<Record<string, string>>;
}

const specSchema = z.object({
  replicas: z.int().nonnegative().default(1),
  concurrency: z.int().positive().optional(),
  settings: z.record(z.string(), z.string()),
  resources: z.object({ limits: z.object({ memory: z.string().regex(/^\d+Mi$/) }) }),
});
type Spec = z.infer<typeof specSchema>;

const valuesSchema = z.object({
  workers: z.record(z.string(), specSchema),
  scheduler: specSchema,
  api: specSchema,
});

/** Reads how many processes of each app the chart starts by default, and with which settings. */
export async function readPods(): Promise<Map<AppName, Pods>> {
  const read = async (path: string) => await readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');
  const values = valuesSchema.parse(parse(await read('helm/bunri/values.yaml')));
  const image = imageSettings(await read('docker/Dockerfile'));
  const nodeOptions = nodeOptionsOf(await read('helm/bunri/templates/_pod.tpl'));
  return new Map(
    appNames.map((app) => {
      const spec = specOf(values, app);
      const concurrency = spec.concurrency === undefined ? {} : { CONCURRENCY: String(spec.concurrency) };
      const env = { ...image, ...concurrency, NODE_OPTIONS: nodeOptions(heapMb(spec)), ...spec.settings };
      return [app, { replicas: spec.replicas, env }];
    }),
  );
}

function specOf(values: z.infer<typeof valuesSchema>, app: AppName): Spec {
  if (app === 'api' || app === 'scheduler') return values[app];
  const spec = values.workers[app.replace(/-worker$/, '')];
  if (!spec) throw new Error(`the chart has no values for ${app}`);
  return spec;
}

/** As the chart's helper `bunri.heapMb` has it: five eighths of the memory limit. */
function heapMb({ resources }: Spec): number {
  return Math.floor((Number.parseInt(resources.limits.memory, 10) * 5) / 8);
}

/** The variables that the last stage of a Dockerfile sets. */
export function imageSettings(dockerfile: string): Record<string, string> {
  const last =
    dockerfile
      .replaceAll('\\\n', ' ')
      .split(/^FROM /m)
      .at(-1) ?? '';
  const lines = last.split('\n').filter((line) => line.startsWith('ENV '));
  const pairs = lines.flatMap((line) => [...line.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)]);
  return Object.fromEntries(pairs.map(([, name = '', quoted, bare = '']) => [name, quoted ?? bare]));
}

/**
 * `NODE_OPTIONS` of the chart's pods, by the size of the heap.
 * @throws when the template says something that only helm understands.
 */
export function nodeOptionsOf(template: string): (heapMb: number) => string {
  const [, written] = /- name: NODE_OPTIONS\n\s+value: (.+)/.exec(template) ?? [];
  if (written === undefined) throw new Error('the template of the pods sets no NODE_OPTIONS');
  return (heap) => {
    const value = written.replace('{{ include "bunri.heapMb" . }}', String(heap));
    if (value.includes('{{')) throw new Error(`the bench cannot read ${written}`);
    return value;
  };
}
