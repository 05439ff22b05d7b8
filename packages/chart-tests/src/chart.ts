import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { findHelm } from './helm-program.ts';
import type { Manifest } from './manifests.ts';

const chart = fileURLToPath(new URL('../../../helm/bunri', import.meta.url));

/** The least that an installation has to say: everything else has a default. */
export const leastValues = {
  image: { registry: 'registry.example.com/bunri' },
  secrets: { redis: 'bunri-redis', storage: 'bunri-storage', modelApi: 'bunri-model-api', clientKeys: 'bunri-keys' },
  storage: { bucket: 'bunri-images' },
  networkPolicy: { redis: { to: [{ ipBlock: { cidr: '10.20.30.40/32' } }] } },
};

export interface HelmAnswer {
  readonly ok: boolean;
  /** What helm printed, standard error last. */
  readonly output: string;
}

type HelmRun = HelmAnswer & { readonly stdout: string };

/** The same command and values have the same answer. */
const runs = new Map<string, HelmRun>();
const rendered = new Map<HelmRun, Manifest[]>();

/** Runs a helm command on the chart, with `values` over the chart's own. */
function helm(command: readonly string[], values: object): HelmRun {
  const input = JSON.stringify(values);
  const key = JSON.stringify([command, input]);
  const known = runs.get(key);
  if (known) return known;
  const args = [...command, '--values', '-'];
  const { status, stdout, stderr, error } = spawnSync(findHelm(), args, {
    input,
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  });
  if (error) throw error;
  const run = { ok: status === 0, stdout, output: stdout + stderr };
  runs.set(key, run);
  return run;
}

export const lint = (...overrides: readonly object[]): HelmAnswer =>
  helm(['lint', chart, '--strict'], merged(leastValues, ...overrides));

/** Whether the chart can be rendered, and what helm said. */
export const tryRender = (...overrides: readonly object[]): HelmAnswer =>
  helm(templateCommand, merged(leastValues, ...overrides));

/** As `tryRender`, for a release of this name. */
export const tryRelease = (release: string): HelmAnswer => helm(['template', release, chart], leastValues);

/** What helm says to whoever has installed it. */
export function notes(...overrides: readonly object[]): string {
  const command = ['install', 'bunri', chart, '--namespace', 'workers', '--dry-run=client'];
  const { ok, stdout, output } = helm(command, merged(leastValues, ...overrides));
  if (!ok) throw new Error(output);
  return stdout.slice(stdout.indexOf('\nNOTES:\n'));
}

/**
 * The manifests of the release `bunri` in the namespace `workers`: `overrides` over the least values.
 * @throws an error with helm's message when the chart cannot be rendered.
 */
export function render(...overrides: readonly object[]): Manifest[] {
  const run = helm(templateCommand, merged(leastValues, ...overrides));
  if (!run.ok) throw new Error(run.output);
  const known = rendered.get(run);
  if (known) return known;
  const manifests = parseAllDocuments(run.stdout).flatMap((document) => {
    const [problem] = document.errors;
    if (problem) throw problem;
    return (document.toJS() as Manifest | null) ?? [];
  });
  rendered.set(run, manifests);
  return manifests;
}

const templateCommand = ['template', 'bunri', chart, '--namespace', 'workers'];

/** The chart's own values, or another of its YAML or JSON files. */
export function readChartFile(name = 'values.yaml'): Record<string, unknown> {
  return parse(readFileSync(`${chart}/${name}`, 'utf8')) as Record<string, unknown>;
}

/** Later objects over earlier ones, as helm merges values: maps key by key, everything else as a whole. */
function merged(...layers: readonly object[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of layers.flatMap((layer) => Object.entries(layer))) {
    const below = result[key];
    result[key] = isMap(value) && isMap(below) ? merged(below, value) : value;
  }
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
