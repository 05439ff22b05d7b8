import { Readable } from 'node:stream';
import type { Storage } from '@bunri/runtime';
import type { ByteBudget } from './byte-budget.ts';
import { gather, inPieces } from './gathering.ts';
import { inspectImage, type ImageFacts, type Inspection } from './image-bytes.ts';
import { Problem, retryAfterOutageS } from './problem.ts';

export const maxImageBytes = 10 * 2 ** 20;

/** What the bytes really are is found out by decoding; until then nobody is told a type. */
const untoldType = 'application/octet-stream';
/** A photo up to this size is held until it is known whether it is needed: as much as one part of a multipart upload. */
const mostHeldBytes = 5 * 2 ** 20;
/**
 * What the photos of one process may hold at once, from before their first byte until they are in the bucket or not needed:
 * 25 of 5 MiB, or 400 of 320 KiB, or 12 of 6 MiB that are streamed. Not counted is what the connections have in their
 * buffers: at most as much again, were all of it being encrypted for the bucket. That is 256 MiB, half of what a pod of the API
 * has; the other half is for the process itself and for what the collector has not come to yet.
 */
export const photoBudgetBytes = 128 * 2 ** 20;
/** Room to begin with for a photo of which nobody told the size. */
const firstBytes = 64 * 2 ** 10;
const pieceBytes = 256 * 2 ** 10;
/**
 * What a photo takes while it is streamed: each part is there twice while the client puts it together, and with the last part
 * there is still the first, whose end belongs to it.
 */
const streamedBytes = (sizeBytes: number) => Math.max(2 * mostHeldBytes, 2 * sizeBytes - mostHeldBytes);

/** A photo that has been read to its end. */
export interface Upload {
  readonly facts: ImageFacts;
  /** Brings it into the bucket, unless it is there. @throws TransientError `storage_unavailable`; then nothing is left there. */
  readonly store: () => Promise<void>;
  /** Gives up its memory, where it still has some; it cannot be stored after that. */
  readonly letGo: () => void;
  /** Lets go of it, and removes it from the bucket, if it is there. */
  readonly remove: () => Promise<void>;
}

export interface Target {
  readonly storage: Storage;
  readonly key: string;
  readonly budget: ByteBudget;
}

/**
 * Reads the photo: up to the size of one part of a multipart upload it is held, a larger one is streamed into the bucket under
 * `key`. The memory comes from `budget`, and goes back with `store`, `letGo` or `remove`, and with everything that is thrown.
 *
 * @param toldBytes of the whole form, which is not much more than its photo; null where the client did not tell
 * @throws Problem for what is no photo, and `service_unavailable` where the budget has too little left; TransientError
 * `storage_unavailable`; what `file` breaks with.
 */
export async function takePhoto(file: Readable, toldBytes: number | null, target: Target): Promise<Upload> {
  const { budget } = target;
  const isLarge = toldBytes !== null && toldBytes > mostHeldBytes;
  const taken = [takeBytes(budget, isLarge ? streamedBytes(toldBytes) : (toldBytes ?? mostHeldBytes))];
  const giveBack = () => {
    for (const give of taken) give();
  };
  try {
    const inspection = inspectImage(maxImageBytes);
    const chunks = inspected(file, inspection);
    const { whole, head } = await readHead(chunks, toldBytes);
    if (whole) return heldUpload(whole, inspection.end(), target, giveBack);
    if (!isLarge) taken.push(takeBytes(budget, streamedBytes(maxImageBytes) - mostHeldBytes));
    const upload = await streamPhoto(head, chunks, inspection, target);
    giveBack();
    return upload;
  } catch (error) {
    giveBack();
    throw error;
  }
}

/** The whole photo, or its chunks up to the one that does not fit into one part any more. */
async function readHead(
  chunks: AsyncGenerator<Uint8Array, void>,
  toldBytes: number | null,
): Promise<{ whole: Uint8Array; head?: never } | { whole?: never; head: Uint8Array[] }> {
  const gathered = gather({ firstBytes: toldBytes ?? firstBytes, mostBytes: mostHeldBytes });
  for (;;) {
    const next = await chunks.next();
    if (next.done) return { whole: gathered.bytes() };
    if (!gathered.add(next.value)) return { head: [gathered.bytes(), next.value] };
  }
}

/** @returns what gives them back */
function takeBytes(budget: ByteBudget, sizeBytes: number): () => void {
  const giveBack = budget.take(sizeBytes);
  if (giveBack) return giveBack;
  const detail = `So many photos are being received that there is no room for another one. Send the request again in ${retryAfterOutageS} seconds.`;
  throw new Problem('service_unavailable', detail, { retryAfterS: retryAfterOutageS });
}

async function* inspected(file: Readable, inspection: Inspection): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of file as AsyncIterable<Uint8Array>) {
    inspection.take(chunk);
    yield chunk;
  }
}

function heldUpload(bytes: Uint8Array, facts: ImageFacts, { storage, key }: Target, giveBack: () => void): Upload {
  // The upload is reachable as long as its request is, which may wait for a minute: its bytes must not be.
  let held: Uint8Array | undefined = bytes;
  let stored = false;
  const letGo = () => {
    held = undefined;
    giveBack();
  };
  return {
    facts,
    async store() {
      if (stored) return;
      if (!held) throw new Error('the photo was let go before it was stored');
      await storage.put(key, held, untoldType, undefined, { sha256: facts.sha256 });
      stored = true;
      letGo();
    },
    letGo,
    async remove() {
      letGo();
      if (stored) await storage.remove([key]);
    },
  };
}

async function streamPhoto(
  head: Uint8Array[],
  chunks: AsyncGenerator<Uint8Array, void>,
  inspection: Inspection,
  { storage, key }: Target,
): Promise<Upload> {
  let facts: ImageFacts | undefined;
  let broken: unknown;
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      // Not kept here any longer than the bucket's client keeps it.
      for (let next = head.shift(); next; next = head.shift()) yield next;
      yield* inPieces(chunks, pieceBytes);
      facts = inspection.end();
    } catch (error) {
      broken = error;
      throw error;
    }
  }
  try {
    await storage.putStream(key, Readable.from(all()), untoldType);
  } catch (error) {
    // The bucket reports its own failure for a stream that broke: the stream's reason comes first.
    throw broken ?? error;
  }
  if (!facts) throw new Error('the upload was stored before it had been read to its end');
  return {
    facts,
    store: async () => await Promise.resolve(),
    letGo: () => undefined,
    remove: async () => await storage.remove([key]),
  };
}
