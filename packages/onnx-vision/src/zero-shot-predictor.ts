// The process of a CLIP or SigLIP model, which `openModelFile` starts: `zero-shot-predictor.ts <ZeroShotJob as JSON>`.
import { basename, dirname } from 'node:path';
import { RefusedTask, serveEngine } from '@bunri/engines/serve-engine';
import { blankPicture, NoPicture, readWithin, type Pixels } from '@bunri/local-vision/pixels';
import type { ZeroShot, ZeroShotDtype } from './description.ts';
import { rank, toExclusive, toProbabilities, type LabelEstimate } from './probabilities.ts';
import { openTowers, type Towers } from './towers.ts';

export interface ZeroShotJob {
  /** A folder with the model's files, or `org/name` on the hub. */
  readonly from: { readonly folder: string } | { readonly hub: string; readonly cacheFolder: string };
  readonly settings: ZeroShot & { readonly dtype: ZeroShotDtype };
  /** Of the catalogue: ids and English names. */
  readonly items: readonly (readonly [id: string, name: string])[];
}

const { from, settings, items } = JSON.parse(process.argv[2] ?? '') as ZeroShotJob;
/** The longer side at most, in pixels, of what is handed on: models take 224 to 384. */
const mostSide = 768;
let towers: Towers | undefined;

serveEngine<Uint8Array, LabelEstimate>({
  load: async () => {
    const lines = items.map(([, name]) => settings.prompt.replaceAll('{}', name.toLowerCase()));
    towers = await openTowers(await locate(), settings.dtype, lines);
    // The first picture takes the memory that all take.
    await look(await blankPicture(), towers);
    return { memoryBytes: process.memoryUsage.rss() };
  },
  predict: async (photos) => {
    if (!towers) throw new Error('a photo came before the model was loaded');
    const estimates: LabelEstimate[] = [];
    for (const photo of photos) estimates.push(await look(photo, towers));
    return estimates;
  },
  unload: async () => await towers?.close(),
});

/** Tells the library where to look, and nowhere else. @returns the model's id there. */
async function locate(): Promise<string> {
  const { env, LogLevel } = await import('@huggingface/transformers');
  env.logLevel = LogLevel.ERROR;
  env.allowRemoteModels = 'hub' in from;
  env.allowLocalModels = 'folder' in from;
  if ('hub' in from) {
    env.cacheDir = from.cacheFolder;
    return from.hub;
  }
  env.localModelPath = `${dirname(from.folder)}/`;
  return basename(from.folder);
}

async function look(photo: Uint8Array, model: Towers): Promise<LabelEstimate> {
  const seen = await model.readPhoto(await decode(photo));
  const { temperature, logit_scale: scale = model.scale, logit_bias: bias = model.bias } = settings;
  const logits = model.texts.map((vector) => scale * dot(vector, seen) + bias);
  const probabilities = model.isExclusive
    ? toProbabilities(logits, 'logits', temperature)
    : toExclusive(logits, temperature);
  const ids = items.map(([id]) => id);
  return rank(probabilities, ids, { labels: 'items', calibrated: temperature !== undefined });
}

async function decode(photo: Uint8Array): Promise<Pixels> {
  try {
    return await readWithin(photo, mostSide);
  } catch (error) {
    if (!(error instanceof NoPicture)) throw error;
    throw new RefusedTask('image_undecodable', 'The photo cannot be decoded. Send another one.', { cause: error });
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}
