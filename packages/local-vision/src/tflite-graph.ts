import * as tf from '@tensorflow/tfjs-core';
import type { FileOperator, ModelFile } from './tflite-file.ts';

/** A part of a model, from its input to one of its tensors. */
export interface Graph {
  /** Side of the square input in pixels. */
  readonly side: number;
  /** Bytes of the weights. */
  readonly bytes: number;
  /** The caller disposes of the result. */
  run(input: tf.Tensor4D): tf.Tensor4D;
  dispose(): void;
}

/**
 * Makes what leads to the tensor whose name begins with `output` runnable on the current tfjs backend.
 *
 * @throws Error when there is no such tensor, or a step on the way to it is not one of those that MobileNets have.
 */
export function buildGraph(file: ModelFile, output: string): Graph {
  const target = file.tensors.findIndex(({ name }) => name.startsWith(output));
  const end = file.operators.findIndex(({ outputs }) => outputs.includes(target));
  if (target < 0 || end < 0) throw new Error(`the model file has no step that makes ${output}`);
  const [input = -1] = file.inputs;
  const steps = needed(file.operators.slice(0, end + 1), target);
  const unknown = steps.find(({ kind }) => kind === 'other');
  if (unknown) throw new Error(`a step on the way to ${output} is of a kind that is not known here`);
  const constants = loadConstants(file, steps);
  const compute = steps.filter(({ kind }) => kind !== 'dequantize');
  const spent = lastReads(compute);
  return {
    side: file.tensors[input]?.shape[1] ?? 0,
    bytes: [...constants.values()].reduce((sum, { size }) => sum + 4 * size, 0),
    run: (image) =>
      tf.tidy(() => {
        const values = new Map<number, tf.Tensor>([...constants, [input, image]]);
        for (const [place, step] of compute.entries()) {
          const [made = -1] = step.outputs;
          values.set(made, runStep(step, values));
          // Together the tensors of all steps would take five times the memory of those that are still read.
          for (const read of spent[place] ?? []) values.get(read)?.dispose();
        }
        return found(values, target) as tf.Tensor4D;
      }),
    dispose: () => {
      for (const constant of constants.values()) constant.dispose();
    },
  };
}

/** The steps that the target depends on, in their order. */
function needed(operators: readonly FileOperator[], target: number): FileOperator[] {
  const wanted = new Set([target]);
  return operators
    .toReversed()
    .filter(({ inputs, outputs }) => {
      if (!outputs.some((made) => wanted.has(made))) return false;
      for (const read of inputs) wanted.add(read);
      return true;
    })
    .toReversed();
}

/** For each step, which of the tensors that earlier steps made no later one reads. */
function lastReads(steps: readonly FileOperator[]): number[][] {
  const made = new Set(steps.flatMap(({ outputs }) => outputs));
  const isReadAfter = (tensor: number, place: number) =>
    steps.slice(place + 1).some(({ inputs }) => inputs.includes(tensor));
  return steps.map(({ inputs }, place) =>
    [...new Set(inputs)].filter((read) => made.has(read) && !isReadAfter(read, place)),
  );
}

/** Weights in the layout that tfjs wants; half precision comes behind a step that widens it. */
function loadConstants(file: ModelFile, steps: readonly FileOperator[]): Map<number, tf.Tensor> {
  const widened = new Map(
    steps.filter(({ kind }) => kind === 'dequantize').map(({ inputs, outputs }) => [outputs[0] ?? -1, inputs[0] ?? -1]),
  );
  const constants = new Map<number, tf.Tensor>();
  const load = (index: number, arrange: (tensor: tf.Tensor) => tf.Tensor = (tensor) => tensor) => {
    const { values: read, shape } = file.tensors[widened.get(index) ?? index] ?? {};
    const values = constants.has(index) ? undefined : read?.();
    if (!values || !shape) return;
    constants.set(
      index,
      tf.tidy(() => tf.keep(arrange(tf.tensor(values, [...shape])))),
    );
  };
  for (const { kind, inputs } of steps) {
    const [, filter = -1, bias = -1] = inputs;
    if (kind === 'conv') load(filter, (tensor) => tf.transpose(tensor, [1, 2, 3, 0]));
    if (kind === 'depthwise') load(filter, (tensor) => tf.transpose(tensor, [1, 2, 3, 0]));
    if (kind === 'conv' || kind === 'depthwise') load(bias);
  }
  return constants;
}

function runStep(step: FileOperator, values: ReadonlyMap<number, tf.Tensor>): tf.Tensor {
  const [first = -1, second = -1, third = -1] = step.inputs;
  const x = found(values, first) as tf.Tensor4D;
  const { padding: pad, activation } = step;
  const strides: [number, number] = [...step.strides];
  switch (step.kind) {
    case 'conv': {
      const [filter, bias] = [found(values, second) as tf.Tensor4D, found(values, third)];
      return tf.fused.conv2d({ x, filter, bias, strides, pad, activation });
    }
    case 'depthwise': {
      const [filter, bias] = [found(values, second) as tf.Tensor4D, found(values, third)];
      return tf.fused.depthwiseConv2d({ x, filter, bias, strides, pad, activation });
    }
    case 'add': {
      const sum = tf.add(x, found(values, second));
      if (activation === 'relu') return tf.relu(sum);
      return activation === 'relu6' ? tf.relu6(sum) : sum;
    }
    case 'dequantize':
    case 'other':
      throw new Error(`a step of the kind ${step.kind} does not run`);
  }
}

function found(values: ReadonlyMap<number, tf.Tensor>, index: number): tf.Tensor {
  const value = values.get(index);
  if (!value) throw new Error(`a step reads tensor ${index}, which nothing has made`);
  return value;
}
