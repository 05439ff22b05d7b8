import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as z from 'zod';
import type { Classification, Usage } from '@bunri/queue-contracts';
import { CaseFileError, parseCases, readText, type Case } from './cases.ts';
import { inParallel, type ParallelOptions } from './in-parallel.ts';
import { shareOf, type Share } from './score.ts';

/** Sees a photo as the vision stage does. */
export interface PhotoEngine {
  look(
    photo: Buffer,
    asked: { readonly question: string; readonly locale: Case['locale'] },
    signal: AbortSignal,
  ): Promise<Look>;
}

export interface Look {
  readonly classification: Classification;
  readonly usage: Usage;
  /** What the thing is likeliest made of, of an engine that says so. */
  readonly material?: string;
}

const photoName = /\.(jpe?g|png|webp|avif)$/i;
/** Which bins or streams are right for the photos of a folder: `{ "glass": "glass", "carton": ["paper-pack"] }`. */
const classesSchema = z.record(z.string(), z.union([z.string(), z.array(z.string()).min(1)]));

/**
 * The right streams for the folders of photos that the local model is trained on: where things of a material go as a rule.
 * What goes another way (a drinking glass, a wooden chair) counts as wrong, unless classes.json says otherwise.
 */
const materialStreams: Readonly<Record<string, string | string[]>> = {
  carton: 'paper-pack',
  plastic: ['plastics', 'clear-pet'],
  'plastic-other': ['plastics', 'clear-pet'],
  wood: ['general', 'bulky'],
};
/** Folders whose photos are of another one's material. */
const materialOf: Readonly<Record<string, string>> = { 'plastic-other': 'plastic' };

export interface PhotoCase {
  readonly path: string;
  /** By the name of its folder. */
  readonly material: string;
  /** With what vision saw still to be filled in. */
  readonly expected: Case;
}

/**
 * One case a photo of a folder of class folders. A class folder is named like a material, a bin or a stream, or
 * `classes.json` beside the folders says which are right for it. `perClass` bounds how many of each are taken, evenly spread.
 *
 * @throws CaseFileError for a class whose place nobody knows, and for a folder that cannot be read or has no photos.
 */
export function photoCases(folder: string, perClass = Infinity): PhotoCase[] {
  const table = join(folder, 'classes.json');
  const named = existsSync(table) ? readClasses(table) : new Map<string, string | string[]>();
  if (!existsSync(folder)) throw new CaseFileError(`${folder}: there is no such folder`);
  const found = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => classCases(join(folder, name), named.get(name) ?? materialStreams[name] ?? name, perClass));
  if (found.length === 0) throw new CaseFileError(`${folder} has no class folders with photos`);
  return found;
}

function readClasses(table: string): Map<string, string | string[]> {
  try {
    return new Map(Object.entries(classesSchema.parse(JSON.parse(readText(table)))));
  } catch (error) {
    if (error instanceof CaseFileError) throw error;
    throw new CaseFileError(`${table}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function classCases(folder: string, category: string | string[], perClass: number): PhotoCase[] {
  const photos = readdirSync(folder)
    .filter((name) => photoName.test(name))
    .toSorted();
  const step = Math.max(1, photos.length / perClass);
  const kept = photos.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
  const tag = basename(folder);
  return kept.flatMap((name) => {
    const line = { id: `${tag}/${name}`, question: '이거 어떻게 버려요?', tags: [tag], expect: { category } };
    const material = materialOf[tag] ?? tag;
    return parseCases(JSON.stringify(line), folder).map((expected) => ({
      path: join(folder, name),
      material,
      expected,
    }));
  });
}

/**
 * The cases with what an engine saw in their photos, what that cost, and how many materials it told rightly, where it
 * tells materials.
 *
 * @throws EngineFailedError naming the photo.
 */
export async function lookAtAll(
  cases: readonly PhotoCase[],
  engine: PhotoEngine,
  options: ParallelOptions,
): Promise<{ cases: Case[]; usage: Usage; materials: Share }> {
  const look = async ({ path, material, expected }: PhotoCase, signal: AbortSignal) => {
    const { classification, usage, material: told } = await engine.look(readFileSync(path), expected, signal);
    return { seen: { ...expected, classification }, usage, isRight: told === undefined ? null : told === material };
  };
  const looked = await inParallel(cases, look, ({ path }) => path, options);
  const total = (key: keyof Usage) => looked.reduce((sum, { usage }) => sum + usage[key], 0);
  return {
    cases: looked.map(({ seen }) => seen),
    materials: shareOf(looked.map(({ isRight }) => isRight)),
    usage: {
      input_tokens: total('input_tokens'),
      output_tokens: total('output_tokens'),
      cost_usd: total('cost_usd'),
    },
  };
}
