import * as tf from '@tensorflow/tfjs-core';

/** A linear classifier: `weights` has one column a class, row by row of the features. */
export interface Linear {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

export interface FitOptions {
  /** Number of classes. */
  readonly classes: number;
  /** Strength of the pull of the weights to zero. */
  readonly regularisation: number;
  /** Steps at most. */
  readonly steps?: number;
}

/** Of the loss between two steps: below it, nothing more is gained. */
const tolerance = 1e-6;
const memory = 10;

/**
 * Multinomial logistic regression with an L2 penalty, by L-BFGS. Photos of rare classes weigh more, by the square root of
 * their rarity: enough that no class is forgotten, not so much that confidence lies.
 *
 * @param features one row a photo, of `width` numbers.
 * @param labels of each photo its class, from 0.
 */
export function fitLogistic(
  features: Float32Array,
  labels: readonly number[],
  width: number,
  { classes, regularisation, steps = 150 }: FitOptions,
): Linear {
  const count = labels.length;
  const size = width * classes;
  const weigh = balance(labels, classes);
  const x = tf.tensor2d(features, [count, width]);
  const transposed = tf.transpose(x);
  const evaluate = (point: Float32Array): { loss: number; gradient: Float32Array } => {
    const weights = tf.tensor2d(point.subarray(0, size), [width, classes]);
    const bias = tf.tensor1d(point.subarray(size));
    const logits = tf.tidy(() => tf.add(tf.matMul(x, weights), bias));
    const errors = logits.dataSync<'float32'>().slice();
    const loss = toErrors(errors, labels, weigh, classes);
    const error = tf.tensor2d(errors, [count, classes]);
    const slope = tf.tidy(() => tf.add(tf.matMul(transposed, error), tf.mul(weights, regularisation)));
    const gradient = new Float32Array(size + classes);
    gradient.set(slope.dataSync<'float32'>());
    for (let index = 0; index < errors.length; index += 1) {
      const place = size + (index % classes);
      gradient[place] = (gradient[place] ?? 0) + (errors[index] ?? 0);
    }
    tf.dispose([weights, bias, logits, error, slope]);
    return { loss: loss + (regularisation / 2) * dot(point.subarray(0, size), point.subarray(0, size)), gradient };
  };
  const best = minimise(evaluate, new Float32Array(size + classes), steps);
  tf.dispose([x, transposed]);
  return { weights: best.slice(0, size), bias: best.slice(size) };
}

function balance(labels: readonly number[], classes: number): Float32Array {
  const counts = new Float32Array(classes);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  const weights = Float32Array.from(labels, (label) => Math.sqrt(labels.length / (classes * (counts[label] || 1))));
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  return weights.map((weight) => weight / mean);
}

/** Turns logits into the errors of the probabilities, weighed and divided by the count, in place; gives the mean loss. */
function toErrors(logits: Float32Array, labels: readonly number[], weigh: Float32Array, classes: number): number {
  let loss = 0;
  for (const [row, label] of labels.entries()) {
    const values = logits.subarray(row * classes, (row + 1) * classes);
    const weight = (weigh[row] ?? 0) / labels.length;
    const probabilities = softmax(values);
    loss -= weight * Math.log(Math.max(1e-12, probabilities[label] ?? 0));
    for (const [index, probability] of probabilities.entries()) {
      values[index] = weight * (probability - (index === label ? 1 : 0));
    }
  }
  return loss;
}

export function softmax(logits: ArrayLike<number>, temperature = 1): Float32Array {
  const values = Float32Array.from(logits, (logit) => logit / temperature);
  const highest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = values.map((value) => Math.exp(value - highest));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

interface Curve {
  readonly step: Float32Array;
  readonly change: Float32Array;
  readonly inverse: number;
}

/** L-BFGS with a backtracking line search (Nocedal & Wright, Numerical Optimization, algorithm 7.4 and 3.1). */
function minimise(
  evaluate: (point: Float32Array) => { loss: number; gradient: Float32Array },
  start: Float32Array,
  steps: number,
): Float32Array {
  const curves: Curve[] = [];
  let point = start;
  let { loss, gradient } = evaluate(point);
  for (let step = 0; step < steps; step += 1) {
    const direction = descent(gradient, curves);
    const slope = dot(direction, gradient);
    let length = curves.length > 0 ? 1 : 1 / Math.max(1, Math.sqrt(dot(gradient, gradient)));
    let next = moved(point, direction, length);
    let found = evaluate(next);
    for (let halvings = 0; halvings < 20 && found.loss > loss + 1e-4 * length * slope; halvings += 1) {
      length /= 2;
      next = moved(point, direction, length);
      found = evaluate(next);
    }
    const taken = direction.map((value) => value * length);
    const before = gradient;
    const change = found.gradient.map((value, index) => value - (before[index] ?? 0));
    const product = dot(taken, change);
    if (product > 1e-10) curves.push({ step: taken, change, inverse: 1 / product });
    if (curves.length > memory) curves.shift();
    const gain = loss - found.loss;
    ({ loss, gradient } = found);
    point = next;
    if (Math.abs(gain) < tolerance) break;
  }
  return point;
}

function descent(gradient: Float32Array, curves: readonly Curve[]): Float32Array {
  let direction: Float32Array = gradient.slice();
  const shares: number[] = [];
  for (const { step, change, inverse } of curves.toReversed()) {
    const share = inverse * dot(step, direction);
    shares.push(share);
    direction = moved(direction, change, -share);
  }
  const newest = curves.at(-1);
  if (newest) {
    const scale = 1 / (newest.inverse * dot(newest.change, newest.change));
    direction = direction.map((value) => value * scale);
  }
  for (const { step, change, inverse } of curves) {
    direction = moved(direction, step, (shares.pop() ?? 0) - inverse * dot(change, direction));
  }
  return direction.map((value) => -value);
}

function moved(point: Float32Array, direction: Float32Array, length: number): Float32Array {
  return point.map((value, index) => value + length * (direction[index] ?? 0));
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}
