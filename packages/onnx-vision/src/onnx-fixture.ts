// Tiny models for tests, written as ONNX by hand; the numbers are those of onnx.proto (github.com/onnx/onnx).
import { lengthField, varintField } from './protobuf.ts';

type Attribute = number | string | readonly number[] | { readonly floats: readonly number[] };

export interface Node {
  readonly does: string;
  readonly takes: readonly string[];
  readonly gives: readonly string[];
  readonly domain?: string;
  /** Whole numbers, a list of them, a text, or floats. */
  readonly with?: Readonly<Record<string, Attribute>>;
}

/** Rows of floats, or a list of whole numbers. */
export type Weights = readonly (readonly number[])[] | readonly number[] | { readonly integers: readonly number[] };

/** A size that is free has a name. */
export type Dims = readonly (number | string)[];

export interface Graph {
  readonly nodes: readonly Node[];
  readonly weights?: Readonly<Record<string, Weights>>;
  readonly inputs: Readonly<Record<string, Dims | { readonly integers: Dims }>>;
  readonly outputs: Readonly<Record<string, Dims | { readonly integers: Dims } | 'map'>>;
}

const float = 1;
const integer = 7;

export function writeModel({ nodes, weights = {}, inputs, outputs }: Graph): Uint8Array {
  const graph = message(
    ...nodes.map((node) => lengthField(1, nodeOf(node))),
    lengthField(2, 'made in a test'),
    ...Object.entries(weights).map(([name, values]) => lengthField(5, weightsOf(name, values))),
    ...Object.entries(inputs).map(([name, dims]) => lengthField(11, valueOf(name, dims))),
    ...Object.entries(outputs).map(([name, dims]) => lengthField(12, valueOf(name, dims))),
  );
  const opset = (domain: string, version: number) =>
    lengthField(8, message(lengthField(1, domain), varintField(2, version)));
  return message(varintField(1, 8), lengthField(7, graph), opset('', 13), opset('ai.onnx.ml', 1));
}

function nodeOf({ does, takes, gives, domain = '', with: attributes = {} }: Node): Uint8Array {
  return message(
    ...takes.map((name) => lengthField(1, name)),
    ...gives.map((name) => lengthField(2, name)),
    lengthField(4, does),
    ...Object.entries(attributes).map(([name, value]) => lengthField(5, attributeOf(name, value))),
    lengthField(7, domain),
  );
}

function attributeOf(name: string, value: Attribute): Uint8Array {
  const typed = (content: Uint8Array, type: number) => message(lengthField(1, name), content, varintField(20, type));
  if (typeof value === 'number') return typed(varintField(3, value), 2);
  if (typeof value === 'string') return typed(lengthField(4, value), 3);
  if ('floats' in value) return typed(lengthField(7, floatBytes(value.floats)), 6);
  return typed(message(...value.map((each) => varintField(8, each))), 7);
}

function weightsOf(name: string, values: Weights): Uint8Array {
  if ('integers' in values) {
    const bytes = Buffer.from(BigInt64Array.from(values.integers, BigInt).buffer);
    return tensor(name, [values.integers.length], integer, bytes);
  }
  const [first] = values;
  const dims = typeof first === 'object' ? [values.length, first.length] : [values.length];
  return tensor(name, dims, float, floatBytes(values.flat()));
}

function tensor(name: string, dims: readonly number[], type: number, bytes: Uint8Array): Uint8Array {
  const sizes = dims.map((size) => varintField(1, size));
  return message(...sizes, varintField(2, type), lengthField(8, name), lengthField(9, bytes));
}

function valueOf(name: string, dims: Dims | { readonly integers: Dims } | 'map'): Uint8Array {
  return message(lengthField(1, name), lengthField(2, dims === 'map' ? tableType() : tensorType(dims)));
}

function tensorType(given: Dims | { readonly integers: Dims }): Uint8Array {
  const dims = 'integers' in given ? given.integers : given;
  const sizes = dims.map((size) =>
    lengthField(1, typeof size === 'number' ? varintField(1, size) : lengthField(2, size)),
  );
  const element = 'integers' in given ? integer : float;
  return lengthField(1, message(varintField(1, element), lengthField(2, message(...sizes))));
}

/** A list of tables from whole numbers to floats. */
function tableType(): Uint8Array {
  const table = message(varintField(1, integer), lengthField(2, lengthField(1, varintField(1, float))));
  return lengthField(4, lengthField(1, lengthField(5, table)));
}

function floatBytes(values: readonly number[]): Uint8Array {
  return Buffer.from(Float32Array.from(values).buffer);
}

function message(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
