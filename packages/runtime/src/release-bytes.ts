/**
 * Gives the memory of bytes back at once; they are empty afterwards. Left to the collection of garbage, photos that are
 * long done with are what full collections are made for.
 *
 * Does nothing where the bytes are a part of a buffer, as a small `Buffer` is one of a pool that it shares.
 */
export function releaseBytes({ buffer, byteLength }: Uint8Array): void {
  if (byteLength > 0 && buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
