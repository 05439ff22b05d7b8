import { readFileSync } from 'node:fs';
import * as z from 'zod';
import type { ModelValue, Signature } from './onnx-file.ts';

const name = z.string().regex(/^[\w.-]{1,40}$/, 'must be up to 40 letters, digits, dots and hyphens');
const three = z.tuple([z.number(), z.number(), z.number()]).readonly();
/** Divides what the model gives before it becomes probabilities; who gives one says that they were calibrated with it. */
const temperature = z.number().positive().max(100).optional();

/** What the file beside a model says of it: `x.json` beside `x.onnx`. */
export const descriptionSchema = z.strictObject({
  format: z.literal(1),
  name,
  version: name,
  input: z.strictObject({
    /** Needed where the model has several. */
    name: z.string().min(1).optional(),
    width: z.int().min(1).max(2048),
    height: z.int().min(1).max(2048),
    /** `flat`: one row of height × width × 3 numbers, as scikit-learn has them. */
    layout: z.enum(['NCHW', 'NHWC', 'flat']),
    channels: z.enum(['RGB', 'BGR']).default('RGB'),
    /** `crop` fills the frame and cuts off what is over, `stretch` keeps the whole picture. */
    resize: z.enum(['stretch', 'crop']).default('stretch'),
    /** A value is `(pixel × scale − mean) ÷ std`, of pixels from 0 to 255. */
    scale: z
      .number()
      .positive()
      .default(1 / 255),
    mean: three.default([0, 0, 0]),
    std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).readonly().default([1, 1, 1]),
  }),
  output: z.strictObject({
    /** Needed where the model has several. */
    name: z.string().min(1).optional(),
    values: z.enum(['logits', 'probabilities']),
  }),
  temperature,
  /** Whether the classes are materials or ids of the catalogue's items. */
  labels: z.enum(['materials', 'items']),
  /** One a number of the output; several may be the same, and null is none of what we know. */
  classes: z.array(z.string().min(1).nullable()).min(2),
});
export type Description = z.infer<typeof descriptionSchema>;

/** What `bunri.json` in the folder of a CLIP or SigLIP model says of it; without the file all is as here. */
export const zeroShotSchema = z.strictObject({
  format: z.literal(1).default(1),
  name: name.optional(),
  version: name.default('1'),
  /** What is compared with the photo, with `{}` in the place of an item's English name. */
  prompt: z
    .string()
    .max(200)
    .refine((prompt) => prompt.includes('{}'), 'must have {} in the place of the name')
    .default('a photo of {}.'),
  /** Which of the exported files is used; default the first of these that is there. */
  dtype: z.enum(['fp32', 'q8']).optional(),
  temperature,
  /** By which similarities from −1 to 1 are multiplied; a trained number of the model that exports leave out. */
  logit_scale: z.number().positive().optional(),
  /** Added to them; SigLIP alone has one. */
  logit_bias: z.number().optional(),
});
export type ZeroShot = z.infer<typeof zeroShotSchema>;
export type ZeroShotDtype = NonNullable<ZeroShot['dtype']>;

/**
 * @throws Error naming the file and every problem in it.
 */
export function readDescription<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const read = schema.safeParse(content);
  if (!read.success) throw new Error(`${path}:\n${z.prettifyError(read.error)}`);
  return read.data;
}

/** What of the model a description means. */
export interface Wiring {
  readonly input: ModelValue;
  readonly output: ModelValue;
  /** Whether several photos may go in at once. */
  readonly isBatched: boolean;
}

/**
 * Finds the input and the output that are meant, and compares their sizes with what was said.
 *
 * @returns every problem, in words, where there are any.
 */
export function wire(description: Description, signature: Signature): Wiring | { readonly problems: string[] } {
  const problems: string[] = [];
  const pick = (kind: 'input' | 'output', values: readonly ModelValue[], wanted: string | undefined) => {
    const found = values.filter((value) => wanted === undefined || value.name === wanted);
    if (found.length === 1) return found[0];
    const names = values.map((value) => value.name).join(', ');
    problems.push(`${kind}.name must be one of ${names}${wanted === undefined ? '' : `, not ${wanted}`}`);
    return undefined;
  };
  const input = pick('input', signature.inputs, description.input.name);
  const output = pick('output', signature.outputs, description.output.name);
  if (input) problems.push(...inputProblems(description, input));
  if (output) problems.push(...outputProblems(description, output));
  if (!input || !output || problems.length > 0) return { problems };
  return { input, output, isBatched: input.dims?.[0] === null && (output.dims?.[0] ?? null) === null };
}

function inputProblems({ input: { width, height, layout } }: Description, { name, kind, dims }: ModelValue): string[] {
  if (kind !== 'float') return [`the input ${name} must take 32-bit floats`];
  const wanted = { NCHW: [1, 3, height, width], NHWC: [1, height, width, 3], flat: [1, height * width * 3] }[layout];
  return shapeProblems(`the input ${name}`, dims, wanted);
}

function outputProblems({ classes }: Description, { name, kind, dims }: ModelValue): string[] {
  if (kind === 'map') return [];
  if (kind !== 'float') return [`the output ${name} must give 32-bit floats: name the one with the probabilities`];
  return shapeProblems(`the output ${name}`, dims, [1, classes.length]);
}

/** Sizes of `wanted` that the model leaves free fit. */
function shapeProblems(what: string, dims: ModelValue['dims'], wanted: readonly number[]): string[] {
  if (!dims) return [];
  const fits = dims.length === wanted.length && wanted.every((size, index) => (dims[index] ?? size) === size);
  if (fits) return [];
  const said = (sizes: readonly (number | null)[]) => `[${sizes.map((size) => size ?? 'any').join(', ')}]`;
  return [`${what} is ${said(dims)}, and the description says ${said(wanted)}`];
}
