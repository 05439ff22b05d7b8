import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { processEngine, type InferenceEngine } from '@bunri/engines';
import { sha256, type Logger, type Metrics } from '@bunri/runtime';
import { asBackboneId, backbonePackages, libraryEntries } from './backbone-packages.ts';
import { readHead, type MaterialEstimate } from './head.ts';
import { shippedHeadPath } from './head-file.ts';

export interface LocalVisionOptions {
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Default: the head that ships with this package. */
  readonly headPath?: string;
  /** From where the networks' packages are looked for before the start; default: from the program that loads them. */
  readonly packagesFrom?: URL;
  /** For a batch of at most four photos, which take two seconds together on a quarter of a core. Default: 20,000 ms. */
  readonly timeoutMs?: number;
  /** Default: that of `processEngine`. */
  readonly loadTimeoutMs?: number;
}

export interface LocalVision {
  /** Takes a photo's bytes and tells what it is made of. A photo that cannot be decoded is refused for good. */
  readonly engine: InferenceEngine<Uint8Array, MaterialEstimate>;
  /** Tells its estimates from those of other heads and networks, for cache keys. */
  readonly identity: string;
  /** What the model's process holds at about, before it has said so itself. */
  readonly expectedBytes: number;
}

/** The name that the model has in metrics; its answers add the version of the head. */
export const materialsModel = 'materials';

const expectedBytes = 256 * 1024 ** 2;
const defaultTimeoutMs = 20_000;

/**
 * The local model in a process of its own, which starts with the first photo. All that it will need is looked for now, so
 * that an image without it fails at the start.
 *
 * @throws Error naming the files that are missing; ZodError for a head of another shape.
 */
export function openLocalVision(options: LocalVisionOptions): LocalVision {
  const { metrics, log, headPath = shippedHeadPath(), packagesFrom, timeoutMs = defaultTimeoutMs } = options;
  const predictor = ['predictor.ts', 'predictor.js', 'predictor.cjs']
    .map((name) => new URL(name, import.meta.url))
    .find((url) => existsSync(url));
  const absent = [
    ...(predictor ? [] : ['the program that runs the model (predictor)']),
    ...(existsSync(headPath) ? [] : [`the trained head (${headPath})`]),
  ];
  if (!predictor || absent.length > 0) throw missing(absent);
  const { version, backbones } = readHead(headPath).file;
  const entries = [...backbones.map(({ id }) => backbonePackages[asBackboneId(id)]), ...libraryEntries];
  const unfound = entries.flatMap((entry) => absentFiles(entry, packagesFrom ?? predictor));
  if (unfound.length > 0) throw missing(unfound);
  return {
    engine: processEngine<Uint8Array, MaterialEstimate>({
      model: materialsModel,
      engine: { provider: 'local', model: `${materialsModel}@${version}` },
      module: predictor,
      args: [headPath],
      // glibc keeps an arena of freed memory a thread: two instead of eight a core.
      env: { MALLOC_ARENA_MAX: '2' },
      execArgv: [...process.execArgv.filter((arg) => arg.startsWith('--conditions=')), '--max-semi-space-size=4'],
      maxOldSpaceMb: 128,
      maxBatch: 4,
      // Photos that are looked at together take no less time than one after the other.
      batchDelayMs: 0,
      timeoutMs,
      ...(options.loadTimeoutMs === undefined ? {} : { loadTimeoutMs: options.loadTimeoutMs }),
      metrics,
      log,
    }),
    // The file holds the networks' checksums. Its version alone would not do: two trainings of a day have the same.
    identity: JSON.stringify([materialsModel, sha256(readFileSync(headPath))]),
    expectedBytes,
  };
}

/** The entry itself where its package is not there; else those of the package's files that are not. */
function absentFiles({ entry, files }: { entry: string; files: readonly string[] }, from: URL): string[] {
  try {
    const found = createRequire(from).resolve(entry);
    return files.map((file) => resolve(dirname(found), file)).filter((file) => !existsSync(file));
  } catch {
    return [entry];
  }
}

function missing(what: readonly string[]): Error {
  return new Error(
    `The local vision model is not installed completely: ${what.join(', ')} cannot be found. Install it, or name a remote model in its place.`,
  );
}
