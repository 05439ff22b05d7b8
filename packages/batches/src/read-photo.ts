import type { Readable } from 'node:stream';
import { TransientError } from '@bunri/runtime';

export interface PhotoFacts {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Looks at the bytes of a photo while they pass. Both throw an error whose message says what is wrong with it. */
export type InspectPhoto = () => { take(chunk: Uint8Array): void; end(): PhotoFacts };

/** Reads one photo of an archive into memory. What is wrong with it is told; what is wrong with the bucket is thrown. */
export async function readPhoto(
  open: () => Promise<Readable>,
  { inspect, maxBytes }: { inspect: InspectPhoto; maxBytes: number },
): Promise<{ bytes: Uint8Array; facts: PhotoFacts } | { problem: string }> {
  const inspection = inspect();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    const stream = await open();
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      inspection.take(chunk);
      sizeBytes += chunk.byteLength;
      // The header said less: it lies.
      if (sizeBytes > maxBytes) return { problem: `is larger than ${maxBytes / 2 ** 20} MiB` };
      chunks.push(chunk);
    }
    return { facts: inspection.end(), bytes: Buffer.concat(chunks) };
  } catch (error) {
    if (error instanceof TransientError) throw error;
    return { problem: error instanceof Error ? error.message : 'cannot be unpacked' };
  }
}
