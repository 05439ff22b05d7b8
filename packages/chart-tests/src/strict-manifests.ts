import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Manifest } from './manifests.ts';

/** Type definitions of Kubernetes objects, by the group of their API; the built-in ones have the first. */
const packages: Record<string, string> = {
  'keda.sh': '@kubernetes-models/keda',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

const cache = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));
const compiler = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));

interface ApiObject extends Manifest {
  readonly apiVersion: string;
}

/** What wrong names, unknown fields and values of a wrong type these objects have, a line each; empty when all are sound. */
export async function problemsOfManifests(manifests: readonly Manifest[]): Promise<string[]> {
  const objects = manifests as readonly ApiObject[];
  const invalid: string[] = [];
  for (const object of objects) {
    const { [object.kind]: Model } = (await import(moduleOf(object))) as Record<string, ModelClass | undefined>;
    if (Model === undefined) throw new Error(`There is no type of ${object.apiVersion} ${object.kind}.`);
    try {
      new Model(object).validate();
    } catch (error) {
      invalid.push(`${object.kind} ${object.metadata.name}: ${String(error)}`);
    }
  }
  return [...invalid, ...unknownFields(objects)];
}

type ModelClass = new (data: object) => { validate(): void };

function moduleOf({ apiVersion, kind }: ApiObject): string {
  const [group = ''] = apiVersion.split('/');
  return `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/** The schemas of the models let unknown fields pass; the compiler does not let them pass in an object literal. */
function unknownFields(objects: readonly ApiObject[]): string[] {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(`${cache}/manifests-`);
  try {
    for (const [number, object] of objects.entries()) {
      const type = `import type { I${object.kind} } from '${moduleOf(object)}';\n`;
      const name = `${number}-${object.kind}-${object.metadata.name}`;
      writeFileSync(`${folder}/${name}.ts`, `${type}export const it: I${object.kind} = ${JSON.stringify(object)};\n`);
    }
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
    };
    writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const { status, stdout, error } = spawnSync(compiler, ['-p', folder, '--pretty', 'false'], { encoding: 'utf8' });
    if (error) throw error;
    const lines = stdout.split('\n').filter((line) => line.includes('error TS'));
    if (status !== 0 && lines.length === 0) throw new Error(`The compiler ended with ${status}: ${stdout}`);
    return lines;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
