/** Chunks that have come, in one buffer: a sender may cut its bytes into chunks of one, each of which would cost a hundred. */
export interface Gathering {
  /** Copies the chunk to the end; false, and nothing copied, where it would be more than `mostBytes`. */
  add(chunk: Uint8Array): boolean;
  /** All of it so far; not a copy. */
  bytes(): Uint8Array;
}

/** @param firstBytes room to begin with; it is doubled when it is full, up to `mostBytes`. */
export function gather({ firstBytes, mostBytes }: { firstBytes: number; mostBytes: number }): Gathering {
  let buffer = Buffer.allocUnsafeSlow(Math.min(firstBytes, mostBytes));
  let sizeBytes = 0;

  function makeRoom(neededBytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(mostBytes, Math.max(neededBytes, 2 * buffer.byteLength)));
    buffer.copy(larger, 0, 0, sizeBytes);
    buffer = larger;
  }

  return {
    add(chunk) {
      const neededBytes = sizeBytes + chunk.byteLength;
      if (neededBytes > mostBytes) return false;
      if (neededBytes > buffer.byteLength) makeRoom(neededBytes);
      buffer.set(chunk, sizeBytes);
      sizeBytes = neededBytes;
      return true;
    },
    bytes: () => buffer.subarray(0, sizeBytes),
  };
}

/** The same bytes in pieces of up to `pieceBytes`; a larger chunk stays as it is. */
export async function* inPieces(chunks: AsyncIterable<Uint8Array>, pieceBytes: number): AsyncGenerator<Uint8Array> {
  const begin = () => gather({ firstBytes: pieceBytes, mostBytes: pieceBytes });
  let piece = begin();
  for await (const chunk of chunks) {
    if (piece.add(chunk)) continue;
    if (piece.bytes().byteLength > 0) yield piece.bytes();
    piece = begin();
    if (!piece.add(chunk)) yield chunk;
  }
  if (piece.bytes().byteLength > 0) yield piece.bytes();
}
