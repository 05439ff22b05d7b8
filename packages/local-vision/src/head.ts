import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { fromHalves, toHalf } from './half.ts';
import { softmax } from './logistic.ts';

const figuresSchema = z.strictObject({
  /** Share of photos of unseen series that were right, without abstention. */
  accuracy: z.number(),
  /** Accuracy of the surest 70 %. */
  accuracyAt70: z.number(),
  calibrationError: z.number(),
  /** How often a photo of a kind left out of training has a lower energy than one of a kind that was in it; 0.5 is chance. */
  unknownKinds: z.number().nullable(),
});

/** What the trained head's file holds. */
export const headFileSchema = z.strictObject({
  format: z.literal(1),
  version: z.string().min(1),
  classes: z.array(z.string().min(1)).min(2),
  backbones: z.array(z.strictObject({ id: z.string(), package: z.string(), checksum: z.string() })).min(1),
  /** Half precision, little endian, base64: one row a feature, one column a class. */
  weights: z.base64(),
  bias: z.array(z.number()),
  temperature: z.number().positive(),
  /** Energies (log of the summed powers of the logits) that 1, 2, … 99 % of unseen photos of these classes fall below. */
  energies: z.array(z.number()).length(99),
  trained: z.strictObject({
    date: z.iso.date(),
    photos: z.int().positive(),
    perClass: z.record(z.string(), z.int()),
    figures: figuresSchema,
  }),
});
export type HeadFile = z.infer<typeof headFileSchema>;

/** A head that is ready to be used. */
export interface Head {
  readonly file: HeadFile;
  readonly weights: Float32Array;
}

/**
 * @throws ZodError for another shape.
 * @throws Error when the numbers do not fit the classes.
 */
export function openHead(content: unknown): Head {
  const file = headFileSchema.parse(content);
  const weights = fromBase64(file.weights);
  if (weights.length % file.classes.length !== 0) {
    throw new Error('the head file has as many weights as fit no number of features');
  }
  if (file.bias.length !== file.classes.length) throw new Error('the head file has not one bias a class');
  return { file, weights };
}

export function readHead(path: string | URL): Head {
  return openHead(JSON.parse(readFileSync(path, 'utf8')));
}

/** Of one photo. */
export interface MaterialEstimate {
  /** Calibrated, likeliest first. */
  readonly materials: readonly { readonly material: string; readonly probability: number }[];
  /** Share of unseen photos of these materials that looked less like any of them than this one: near 0, it is like none. */
  readonly familiarity: number;
}

/**
 * What the head says of a photo's features.
 *
 * @throws Error for another number of features than it was trained on.
 */
export function estimate({ file, weights }: Head, features: Float32Array): MaterialEstimate {
  const { classes, bias, temperature, energies } = file;
  if (weights.length !== features.length * classes.length) {
    throw new Error(`the head reads ${weights.length / classes.length} features, and there are ${features.length}`);
  }
  const logits = logitsOf(features, weights, bias);
  const probabilities = softmax(logits, temperature);
  const materials = classes.map((material, index) => ({ material, probability: probabilities[index] ?? 0 }));
  return {
    materials: materials.toSorted((a, b) => b.probability - a.probability),
    familiarity: rank(energy(logits), energies),
  };
}

/** High where the picture excites any class (Liu et al. 2020, Energy-based Out-of-distribution Detection). */
export function energy(logits: Float32Array): number {
  const highest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  return highest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - highest), 0));
}

/** Before the softmax, one a class. */
export function logitsOf(features: Float32Array, weights: Float32Array, bias: ArrayLike<number>): Float32Array {
  const logits = Float32Array.from(bias);
  const classes = logits.length;
  for (const [row, value] of features.entries()) {
    for (let column = 0; column < classes; column += 1) {
      logits[column] = (logits[column] ?? 0) + value * (weights[row * classes + column] ?? 0);
    }
  }
  return logits;
}

function rank(value: number, percentiles: readonly number[]): number {
  const above = percentiles.findIndex((percentile) => value < percentile);
  return (above < 0 ? percentiles.length : above) / (percentiles.length + 1);
}

function fromBase64(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return fromHalves(new Uint16Array(bytes.buffer));
}

/** Numbers in half precision as base64. */
export function toBase64(values: Float32Array): string {
  return Buffer.from(Uint16Array.from(values, toHalf).buffer).toString('base64');
}
