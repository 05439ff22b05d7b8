import { fromHalves } from './half.ts';

/** A tensor of a model file: its shape, and its values where the file holds them. */
export interface FileTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Made at each call, so that what no step needs takes no memory. Undefined for a type that is not known here. */
  readonly values?: () => Float32Array | undefined;
}

/** One step of the graph; tensors are told by their index. */
export interface FileOperator {
  readonly kind: OperatorKind;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly padding: 'same' | 'valid';
  /** Height, width. */
  readonly strides: readonly [number, number];
  readonly activation: 'linear' | 'relu' | 'relu6';
}

export interface ModelFile {
  readonly tensors: readonly FileTensor[];
  readonly operators: readonly FileOperator[];
  readonly inputs: readonly number[];
}

/** Codes of the operators that a MobileNet's feature extractor is made of; all else is kept as `other`. */
const operatorKinds = { 0: 'add', 3: 'conv', 4: 'depthwise', 6: 'dequantize' } as const;
export type OperatorKind = (typeof operatorKinds)[keyof typeof operatorKinds] | 'other';

/** Field numbers of the tables, from the TFLite schema (tensorflow/lite/schema/schema.fbs). */
const fields = {
  model: { operatorCodes: 1, subgraphs: 2, buffers: 4 },
  operatorCode: { deprecated: 0, builtin: 3 },
  subgraph: { tensors: 0, inputs: 1, operators: 3 },
  tensor: { shape: 0, type: 1, buffer: 2, name: 3 },
  operator: { code: 0, inputs: 1, outputs: 2, options: 4 },
  buffer: { data: 0 },
} as const;

/** Where each kind's options stand: padding, stride of the width and of the height, fused activation. */
const optionFields = {
  conv: { padding: 0, strideWidth: 1, strideHeight: 2, activation: 3 },
  depthwise: { padding: 0, strideWidth: 1, strideHeight: 2, activation: 4 },
  add: { padding: null, strideWidth: null, strideHeight: null, activation: 0 },
} as const;

const activations = { 0: 'linear', 1: 'relu', 3: 'relu6' } as const;
const float32 = 0;
const float16 = 1;

/**
 * Reads the graph and the weights of a TFLite file with float weights.
 *
 * @throws Error for bytes that are no TFLite file.
 */
export function readModelFile(bytes: Uint8Array): ModelFile {
  if (bytes.length < 8 || Buffer.from(bytes.subarray(4, 8)).toString('latin1') !== 'TFL3') {
    throw new Error('this is no TFLite model file');
  }
  const reader = tableReader(bytes);
  const model = reader.root();
  const codes = reader.tables(model, fields.model.operatorCodes).map((code) => {
    // Files from before 2020 have the code in one byte alone.
    const old = reader.int8(code, fields.operatorCode.deprecated);
    return Math.max(old, reader.int32(code, fields.operatorCode.builtin));
  });
  const buffers = reader.tables(model, fields.model.buffers);
  const [graph] = reader.tables(model, fields.model.subgraphs);
  if (graph === undefined) throw new Error('the model file holds no graph');
  return {
    inputs: reader.ints(graph, fields.subgraph.inputs),
    tensors: reader.tables(graph, fields.subgraph.tensors).map((tensor) => {
      const buffer = buffers[reader.int32(tensor, fields.tensor.buffer)];
      const raw = buffer === undefined ? new Uint8Array() : reader.bytes(buffer, fields.buffer.data);
      const type = reader.int8(tensor, fields.tensor.type);
      const name = reader.text(tensor, fields.tensor.name);
      const values = () => floats(raw, type);
      return { name, shape: reader.ints(tensor, fields.tensor.shape), ...(raw.length > 0 && { values }) };
    }),
    operators: reader.tables(graph, fields.subgraph.operators).map((operator) => ({
      inputs: reader.ints(operator, fields.operator.inputs),
      outputs: reader.ints(operator, fields.operator.outputs),
      ...optionsOf(reader, operator, kindOf(codes[reader.int32(operator, fields.operator.code)])),
    })),
  };
}

function kindOf(code: number | undefined): OperatorKind {
  return Object.entries(operatorKinds).find(([known]) => Number(known) === code)?.[1] ?? 'other';
}

type Options = Pick<FileOperator, 'kind' | 'padding' | 'strides' | 'activation'>;

function optionsOf(reader: ReturnType<typeof tableReader>, operator: number, kind: OperatorKind): Options {
  const plain = { kind, padding: 'same', strides: [1, 1], activation: 'linear' } as const;
  const options = reader.table(operator, fields.operator.options);
  if (options === null || kind === 'dequantize' || kind === 'other') return plain;
  const { padding, strideWidth, strideHeight, activation } = optionFields[kind];
  const code = reader.int8(options, activation);
  const name = Object.entries(activations).find(([known]) => Number(known) === code)?.[1];
  if (name === undefined) throw new Error(`the model file has the activation ${code}, which is not known here`);
  if (padding === null) return { ...plain, activation: name };
  return {
    kind,
    padding: reader.int8(options, padding) === 0 ? 'same' : 'valid',
    strides: [reader.int32(options, strideHeight), reader.int32(options, strideWidth)],
    activation: name,
  };
}

/**
 * Reads fields of flatbuffer tables by their number; an absent one is 0, null or empty. A table begins with the way back to
 * the list of where its fields stand, and a reference is the way from its own place (https://flatbuffers.dev/internals).
 */
function tableReader(bytes: Uint8Array) {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const int32 = (place: number) => file.getInt32(place, true);
  const follow = (place: number) => place + int32(place);
  const at = (table: number, field: number) => {
    const list = table - int32(table);
    const entry = 4 + 2 * field;
    const offset = entry < file.getUint16(list, true) ? file.getUint16(list + entry, true) : 0;
    return offset === 0 ? null : table + offset;
  };
  const vector = (table: number, field: number) => {
    const place = at(table, field);
    if (place === null) return { start: 0, length: 0 };
    return { start: follow(place) + 4, length: int32(follow(place)) };
  };
  const content = (table: number, field: number) => {
    const { start, length } = vector(table, field);
    return bytes.subarray(start, start + length);
  };
  const each = <T>({ start, length }: { start: number; length: number }, read: (place: number) => T) =>
    Array.from({ length }, (_, index) => read(start + 4 * index));
  return {
    root: () => follow(0),
    int8: (table: number, field: number) => {
      const place = at(table, field);
      return place === null ? 0 : file.getInt8(place);
    },
    int32: (table: number, field: number) => {
      const place = at(table, field);
      return place === null ? 0 : int32(place);
    },
    text: (table: number, field: number) => Buffer.from(content(table, field)).toString('utf8'),
    table: (table: number, field: number) => {
      const place = at(table, field);
      return place === null ? null : follow(place);
    },
    tables: (table: number, field: number) => each(vector(table, field), follow),
    ints: (table: number, field: number) => each(vector(table, field), int32),
    bytes: content,
  };
}

function floats(raw: Uint8Array, type: number): Float32Array | undefined {
  // Copied, since the file's own bytes need not be aligned; a Buffer's own slice would not copy.
  const { buffer } = Uint8Array.from(raw);
  if (type === float32) return new Float32Array(buffer);
  return type === float16 ? fromHalves(new Uint16Array(buffer)) : undefined;
}
