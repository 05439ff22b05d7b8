import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { bytesSource, fields, lengthField, text, varintField, type Field, type Source } from './protobuf.ts';

/** What goes into a model or comes out of it. */
export interface ModelValue {
  readonly name: string;
  /** `map` is what scikit-learn's exports give: for each photo a table from label to probability. */
  readonly kind: 'float' | 'map' | 'other';
  /** null for a size that is free, such as the number of photos in a batch; undefined where the file does not say. */
  readonly dims: readonly (number | null)[] | undefined;
}

export interface Signature {
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
}

/** Numbers of the fields in onnx.proto (github.com/onnx/onnx, onnx/onnx.proto), by message. */
const model = { graph: 7 };
const graph = { node: 1, initializer: 5, input: 11, output: 12 };
const node = { input: 1, output: 2, operator: 4 };
const tensor = { name: 8 };
const valueInfo = { name: 1, type: 2 };
const type = { tensor: 1, sequence: 4, map: 5 };
const tensorType = { element: 1, shape: 2 };
const shape = { dimension: 1 };
const dimension = { value: 1 };
const floatElement = 1;

/** Large networks have some ten thousand parts; reading more, of a file that is none, would hold up the start. */
const mostReads = 200_000;

/**
 * What a model takes and gives, without its weights being read.
 *
 * @throws Error for a file that is no ONNX.
 */
export function readSignature(path: string): Signature {
  const file = openSync(path, 'r');
  try {
    let reads = 0;
    const read = (at: number, length: number) => {
      reads += 1;
      if (reads > mostReads) throw new Error('it is no ONNX file: it has more parts than any network');
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, at));
    };
    return signatureOf({ size: fstatSync(file).size, read });
  } finally {
    closeSync(file);
  }
}

function signatureOf(source: Source): Signature {
  const parts = [...fields(source, ...graphOf(source))];
  const of = (number: number) => parts.filter((part) => part.number === number);
  // In files of the first versions weights are inputs too.
  const weights = new Set(of(graph.initializer).map((part) => textOf(source, part, tensor.name)));
  return {
    inputs: of(graph.input)
      .map((part) => readValue(source, part))
      .filter(({ name }) => !weights.has(name)),
    outputs: of(graph.output).map((part) => readValue(source, part)),
  };
}

function graphOf(source: Source): [number, number] {
  const found = [...fields(source, 0, source.size)].find(({ number }) => number === model.graph);
  if (!found) throw new Error('it is no ONNX file: it has no graph');
  return [found.from, found.to];
}

function readValue(source: Source, value: Field): ModelValue {
  const name = textOf(source, value, valueInfo.name);
  const typed = child(source, value, valueInfo.type);
  const ofTensor = typed && child(source, typed, type.tensor);
  if (!typed || !ofTensor) {
    const isMap = typed && (child(source, typed, type.sequence) ?? child(source, typed, type.map));
    return { name, kind: isMap ? 'map' : 'other', dims: undefined };
  }
  const kind = child(source, ofTensor, tensorType.element)?.value === floatElement ? 'float' : 'other';
  const shaped = child(source, ofTensor, tensorType.shape);
  const dims =
    shaped &&
    children(source, shaped, shape.dimension).map((each) => sizeOf(child(source, each, dimension.value)?.value));
  return { name, kind, dims };
}

/** Some exporters write 0 or −1, which is an enormous varint, for a size that is free. */
function sizeOf(value: number | undefined): number | null {
  return value === undefined || value === 0 || value > 2 ** 40 ? null : value;
}

/**
 * The model with the numbers themselves in the place of a map that scikit-learn's exports make of them (the operator
 * ZipMap): onnxruntime for Node has no maps. The output takes the name that is returned.
 *
 * @throws Error where the map is made by another operator.
 */
export function withoutMap(bytes: Uint8Array, output: string): { readonly bytes: Uint8Array; readonly output: string } {
  const source = bytesSource(bytes);
  const [from, to] = graphOf(source);
  const parts = [...fields(source, from, to)];
  const zip = parts.find(
    (part) =>
      part.number === graph.node &&
      textOf(source, part, node.operator) === 'ZipMap' &&
      textOf(source, part, node.output) === output,
  );
  if (!zip) throw new Error(`its output ${output} is a map that is not made by ZipMap: export it as a tensor`);
  const numbers = textOf(source, zip, node.input);
  const asTensor = lengthField(
    valueInfo.type,
    lengthField(type.tensor, Buffer.from(varintField(tensorType.element, floatElement))),
  );
  const kept = parts.map((part) => {
    if (part === zip) return Buffer.alloc(0);
    if (part.number !== graph.output || textOf(source, part, valueInfo.name) !== output) {
      return bytes.subarray(part.at, part.to);
    }
    return lengthField(graph.output, Buffer.concat([lengthField(valueInfo.name, numbers), asTensor]));
  });
  const others = [...fields(source, 0, source.size)].map((part) =>
    part.number === model.graph ? lengthField(model.graph, Buffer.concat(kept)) : bytes.subarray(part.at, part.to),
  );
  return { bytes: Buffer.concat(others), output: numbers };
}

function children(source: Source, { from, to }: Field, number: number): Field[] {
  return [...fields(source, from, to)].filter((field) => field.number === number);
}

function child(source: Source, parent: Field, number: number): Field | undefined {
  return children(source, parent, number)[0];
}

function textOf(source: Source, parent: Field, number: number): string {
  const found = child(source, parent, number);
  return found ? text(source, found) : '';
}
