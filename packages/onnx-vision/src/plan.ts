import { existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import * as z from 'zod';
import { checksum } from './checksum.ts';
import type { ClassifierJob } from './classifier-predictor.ts';
import {
  descriptionSchema,
  readDescription,
  wire,
  zeroShotSchema,
  type Description,
  type ZeroShotDtype,
} from './description.ts';
import { families } from './families.ts';
import { readSignature } from './onnx-file.ts';
import type { ZeroShotJob } from './zero-shot-predictor.ts';

export interface ItemName {
  readonly id: string;
  /** In English. */
  readonly name: string;
}

export interface PlanOptions {
  readonly path: string;
  readonly materials: readonly string[];
  readonly items: readonly ItemName[];
}

/** How a model is run, from what its files say. */
export interface Plan {
  /** In metrics. */
  readonly name: string;
  /** In answers. */
  readonly model: string;
  readonly calibrated: boolean;
  /** All that decides its estimates, as text of any length. */
  readonly identity: string;
  readonly expectedBytes: number;
  readonly program: 'classifier-predictor' | 'zero-shot-predictor';
  readonly job: ClassifierJob | ZeroShotJob;
  readonly packages: readonly string[];
  readonly maxBatch: number;
  readonly loadTimeoutMs: number;
}

/** Node, the image library and the runtime, before any weight. */
const runtimeBytes = 96 * 1024 ** 2;
/** Of a model on the hub nobody knows before it is here: what CLIP ViT-B/32 takes in 8 bits. */
const hubBytes = 256 * 1024 ** 2;
const mostBatch = 8;
const classifierLoadMs = 60_000;
/** Reading the names of all items takes some 20 ms each on one core; a download comes before it. */
const zeroShotLoadMs = 300_000;
const hubLoadMs = 900_000;

/**
 * @throws Error naming everything about the files that does not fit.
 */
export function planModel(options: PlanOptions): Plan {
  const [, hub] = /^hub:(.*)$/.exec(options.path) ?? [];
  if (hub !== undefined) return planHub(hub, options);
  const path = resolve(options.path);
  if (!existsSync(path)) throw new Error(`LOCAL_MODEL_PATH: ${path} cannot be found`);
  return statSync(path).isDirectory() ? planFolder(path, options) : planClassifier(path, options);
}

function planClassifier(path: string, { materials, items }: PlanOptions): Plan {
  if (!path.endsWith('.onnx')) {
    throw new Error(`LOCAL_MODEL_PATH: ${path} is neither a file x.onnx nor a folder with a CLIP or SigLIP model`);
  }
  const beside = `${path.slice(0, -'.onnx'.length)}.json`;
  const description = readDescription(beside, descriptionSchema);
  const wired = wire(description, signatureOf(path));
  const known = new Set(description.labels === 'materials' ? materials : items.map(({ id }) => id));
  const problems = [...unknownClasses(description, known), ...('problems' in wired ? wired.problems : [])];
  if ('problems' in wired || problems.length > 0) throw new Error(`${beside}:\n${problems.join('\n')}`);
  const { input, output, isBatched } = wired;
  const files = [path, ...[`${path}.data`, `${path}_data`].filter(existsSync)];
  return {
    ...named(description.name, description),
    identity: JSON.stringify([...files, beside].map((file) => checksum(file))),
    expectedBytes: runtimeBytes + sizeOf(files),
    program: 'classifier-predictor',
    job: { path, description, input: input.name, output: output.name, isMap: output.kind === 'map' },
    packages: ['onnxruntime-node'],
    maxBatch: isBatched ? mostBatch : 1,
    loadTimeoutMs: classifierLoadMs,
  };
}

function signatureOf(path: string): ReturnType<typeof readSignature> {
  try {
    return readSignature(path);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function unknownClasses({ labels, classes }: Description, known: ReadonlySet<string>): string[] {
  const unknown = classes.filter((label) => label !== null && !known.has(label));
  if (classes.every((label) => label === null)) return ['classes: all are null, so that the model can say nothing'];
  const kind = labels === 'materials' ? `are no materials; there are ${[...known].join(', ')}` : 'are no items';
  return unknown.length > 0 ? [`classes: ${unknown.join(', ')} ${kind}`] : [];
}

function planFolder(folder: string, { items }: PlanOptions): Plan {
  const beside = join(folder, 'bunri.json');
  const described = existsSync(beside) ? readDescription(beside, zeroShotSchema) : zeroShotSchema.parse({});
  const dtypes = described.dtype ? [described.dtype] : (['fp32', 'q8'] as const);
  const towers = (dtype: ZeroShotDtype) =>
    ['text_model', 'vision_model'].map((tower) => join(folder, 'onnx', `${tower}${endings[dtype]}.onnx`));
  const dtype = dtypes.find((each) => towers(each).every(existsSync)) ?? dtypes[0];
  const wanted = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'preprocessor_config.json'];
  const files = [...wanted.map((name) => join(folder, name)), ...towers(dtype)];
  const absent = files.filter((file) => !existsSync(file));
  if (absent.length > 0) throw new Error(`LOCAL_MODEL_PATH: ${absent.join(', ')} cannot be found`);
  const kind = readDescription(join(folder, 'config.json'), z.object({ model_type: z.string() })).model_type;
  if (!families.some((family) => family === kind)) {
    throw new Error(`LOCAL_MODEL_PATH: ${folder} is of the kind ${kind}; there are ${families.join(' and ')}`);
  }
  return {
    ...zeroShot({ folder }, { ...described, dtype }, items, described.name ?? basename(folder)),
    identity: JSON.stringify([...files.map((file) => checksum(file)), described, items]),
    // The two halves are never there together.
    expectedBytes: runtimeBytes + Math.max(...towers(dtype).map((file) => sizeOf([file]))),
    loadTimeoutMs: zeroShotLoadMs,
  };
}

function planHub(hub: string, { items }: PlanOptions): Plan {
  if (!/^\w[\w.-]*\/\w[\w.-]*$/.test(hub))
    throw new Error('LOCAL_MODEL_PATH: after hub: must come <organisation>/<name>');
  const settings = { ...zeroShotSchema.parse({}), dtype: 'q8' } as const;
  const cacheFolder = join(tmpdir(), 'bunri-models');
  return {
    ...zeroShot({ hub, cacheFolder }, settings, items, hub.replace('/', '-')),
    identity: JSON.stringify([hub, settings, items]),
    expectedBytes: hubBytes,
    loadTimeoutMs: hubLoadMs,
  };
}

/** As transformers.js names the files. */
const endings = { fp32: '', q8: '_quantized' } as const;

function zeroShot(
  from: ZeroShotJob['from'],
  settings: ZeroShotJob['settings'],
  items: readonly ItemName[],
  name: string,
) {
  return {
    ...named(name, settings),
    program: 'zero-shot-predictor',
    job: { from, settings, items: items.map(({ id, name: english }) => [id, english] as const) },
    packages: ['@huggingface/transformers', 'onnxruntime-node'],
    maxBatch: 1,
  } as const;
}

/** Whoever reads an answer sees that nobody has compared its confidence with anything. */
function named(name: string, { version, temperature }: Pick<Description, 'version' | 'temperature'>) {
  const calibrated = temperature !== undefined;
  return { name, calibrated, model: `${name}@${version}${calibrated ? '' : ' (uncalibrated)'}` };
}

function sizeOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + statSync(file).size, 0);
}
