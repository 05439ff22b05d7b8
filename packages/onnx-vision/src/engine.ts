import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { processEngine, type InferenceEngine } from '@bunri/engines';
import { sha256, type Logger, type Metrics } from '@bunri/runtime';
import { planModel, type ItemName } from './plan.ts';
import type { LabelEstimate } from './probabilities.ts';

export interface ModelFileOptions {
  /** `x.onnx` with `x.json` beside it, a folder with a CLIP or SigLIP model, or `hub:<org>/<name>`. */
  readonly path: string;
  /** The materials that may stand in a description. */
  readonly materials: readonly string[];
  /** The catalogue's items with their English names. */
  readonly items: readonly ItemName[];
  readonly metrics: Metrics;
  readonly log: Logger;
  /** From where the packages of the runtimes are looked for; default: from here. */
  readonly packagesFrom?: URL;
}

export interface ModelFile {
  /** Takes a photo's bytes and ranks labels. A photo that cannot be decoded is refused for good. */
  readonly engine: InferenceEngine<Uint8Array, LabelEstimate>;
  /** Tells its estimates from those of other models, descriptions and catalogues, for cache keys. */
  readonly identity: string;
  /** What the model's process holds at about, by the size of the files, before it has said so itself. */
  readonly expectedBytes: number;
}

/** Waits in a batch for company no longer than this; a batch pays only where the model takes several photos at once. */
const batchDelayMs = 20;
/** For one batch; ahead of the stages' own limits, so that what failed says whose time-out it was. */
const timeoutMs = 40_000;
/** Linux takes no argument of 128 KiB or more. */
const longestJobBytes = 120 * 1024;

/**
 * A model that whoever runs bunri brings along, in a process of its own that starts with the first photo. Everything that
 * can be checked without running it is checked now.
 *
 * @throws Error naming every problem of the description and what does not fit the model, the files that are missing, and
 * the package that must be installed.
 */
export function openModelFile(options: ModelFileOptions): ModelFile {
  const { metrics, log, packagesFrom = new URL(import.meta.url) } = options;
  const plan = planModel(options);
  assertInstalled(plan.packages, packagesFrom);
  const job = JSON.stringify(plan.job);
  if (Buffer.byteLength(job) > longestJobBytes) {
    throw new Error(`${options.path}: its description is too long; all classes together take 120 KiB at most`);
  }
  if (!plan.calibrated) {
    log.warn('the local model has no temperature: its confidence is held at 0.5, and it asks back', {
      model: plan.model,
    });
  }
  return {
    engine: processEngine<Uint8Array, LabelEstimate>({
      model: plan.name,
      engine: { provider: 'local', model: plan.model },
      module: findProgram(plan.program),
      args: [job],
      // glibc keeps an arena of freed memory a thread: two instead of eight a core.
      env: { MALLOC_ARENA_MAX: '2' },
      maxOldSpaceMb: 256,
      maxBatch: plan.maxBatch,
      batchDelayMs: plan.maxBatch > 1 ? batchDelayMs : 0,
      timeoutMs,
      loadTimeoutMs: plan.loadTimeoutMs,
      metrics,
      log,
    }),
    identity: JSON.stringify([plan.name, sha256(plan.identity)]),
    expectedBytes: plan.expectedBytes,
  };
}

function findProgram(name: string): URL {
  const found = ['ts', 'js', 'cjs'].map((ending) => new URL(`${name}.${ending}`, import.meta.url)).find(existsSync);
  if (!found) throw new Error(`the program that runs the local model (${name}) cannot be found`);
  return found;
}

function assertInstalled(packages: readonly string[], from: URL): void {
  const { resolve } = createRequire(from);
  const absent = packages.filter((name) => {
    try {
      return !existsSync(resolve(name));
    } catch {
      return true;
    }
  });
  if (absent.length === 0) return;
  throw new Error(
    `The model of LOCAL_MODEL_PATH is run by ${absent.join(' and ')}, which is not installed: npm install ${absent.join(' ')}`,
  );
}
