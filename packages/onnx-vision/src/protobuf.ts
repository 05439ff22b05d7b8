/** One field of a protobuf message, by its place; `value` is that of a varint, 0 otherwise. */
export interface Field {
  readonly number: number;
  /** Where the field begins, its key included. */
  readonly at: number;
  /** Its content, of a length-delimited field without the length. */
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

/** Bytes that are read piece by piece, so that a file with hundreds of megabytes of weights need not be held. */
export interface Source {
  readonly size: number;
  /** Fewer than asked for at the end. */
  read(at: number, length: number): Uint8Array;
}

export function bytesSource(bytes: Uint8Array): Source {
  return { size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) };
}

/** A key and a length take at most so many bytes. */
const longestHead = 20;

/**
 * The fields of a message that lies between two places; what they hold is not read.
 *
 * @throws Error for bytes that are no protobuf.
 */
export function* fields(source: Source, from: number, to: number): Generator<Field> {
  let at = from;
  while (at < to) {
    const head = source.read(at, longestHead);
    const key = readVarint(head, 0);
    const wire = key.value % 8;
    const number = Math.floor(key.value / 8);
    // There is none, but in bytes that are all zero.
    if (number === 0) throw notProtobuf();
    const start = at + key.length;
    let [content, end, value] = [start, start, 0];
    if (wire === 0) {
      const varint = readVarint(head, key.length);
      value = varint.value;
      end = start + varint.length;
    } else if (wire === 1) end = start + 8;
    else if (wire === 5) end = start + 4;
    else if (wire === 2) {
      const length = readVarint(head, key.length);
      content = start + length.length;
      end = content + length.value;
    } else throw notProtobuf();
    if (end > to) throw notProtobuf();
    yield { number, at, from: content, to: end, value };
    at = end;
  }
}

/** Above 2^53, as a negative number is, it is not exact. */
function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly length: number } {
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, length: index + 1 };
  }
  throw notProtobuf();
}

function notProtobuf(): Error {
  return new Error('it is no ONNX file, or it is not complete');
}

/** Names are short; what says that it is longer would be held in memory. */
const longestTextBytes = 64 * 1024;

/** @throws Error for one that is too long for a name. */
export function text(source: Source, { from, to }: Field): string {
  if (to - from > longestTextBytes) throw notProtobuf();
  return Buffer.from(source.read(from, to - from)).toString('utf8');
}

/** A varint field, from 0 to 2^53. */
export function varintField(number: number, value: number): Uint8Array {
  return Uint8Array.of(...varint(number * 8), ...varint(value));
}

/** A text, or a message within a message. */
export function lengthField(number: number, content: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(content);
  return Buffer.concat([Uint8Array.of(...varint(number * 8 + 2), ...varint(bytes.length)), bytes]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
