import { availableParallelism } from 'node:os';
import sharp, { type Metadata } from 'sharp';
import { PermanentError, TransientError } from '@bunri/runtime';
import { createGate } from './gate.ts';
import { imageLimits, judgeImage, judgeType, type ImageFacts, type PhotoType } from './image-limits.ts';
import { detectImageType } from './image-type.ts';

/** A picture as every later stage gets it: upright, without metadata, a JPEG of at most 1024 pixels a side. */
export interface NormalisedImage {
  readonly bytes: Buffer;
  readonly width: number;
  readonly height: number;
}

export type Normalise = (file: Buffer, signal: AbortSignal) => Promise<NormalisedImage>;

export interface NormaliserOptions {
  /** Bounds the decoders of all calls together. */
  readonly decodeMemoryBytes: number;
  /** Pictures whose pixels are worked on at once, beside those that are heavy; as many as there are cores unless given. */
  readonly decodeConcurrency?: number | undefined;
}

const maxSidePx = 1024;
/** A picture whose decoder holds more than this may take seconds: it waits for its like alone, so that others pass it by. */
const heavyBytes = 64 * 2 ** 20;
/** Memory for each of those that are worked on at once. */
const heavyShareBytes = 256 * 2 ** 20;
/** Under the stage's own time-out, so that a decoder does not go on for a run that nobody waits for. */
const decodeTimeoutS = 20;

/**
 * Makes libvips fit a small pod, and closed to every format but ours. For the whole process, so that only an app's start
 * calls it.
 */
export function confineDecoders(): void {
  sharp.cache(false);
  // Several pictures at once, each on one thread, use less memory than one on many.
  sharp.concurrency(1);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({
    operation: ['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp', 'VipsForeignLoadHeif'],
  });
}

/**
 * Gives a function that makes the normalised picture of a file. The same file always gives the same bytes, whatever its
 * metadata. It throws `PermanentError` with an `image_…` code for what cannot be accepted, and `TransientError` `stage_timeout`.
 */
export function createNormaliser({
  decodeMemoryBytes,
  decodeConcurrency = availableParallelism(),
}: NormaliserOptions): Normalise {
  const memory = createGate(decodeMemoryBytes);
  const heavyAtOnce = Math.max(1, Math.min(decodeConcurrency, Math.floor(decodeMemoryBytes / heavyShareBytes)));
  const [ordinary, heavy] = [createGate(decodeConcurrency), createGate(heavyAtOnce)];
  return async (file, signal) => {
    if (file.length === 0) throw new PermanentError('image_empty', 'The image has no bytes. Send it again.');
    const kind = judgeType(detectImageType(file));
    if (!kind.accepted) throw new PermanentError(kind.code, kind.message);
    const verdict = judgeImage(await readFacts(file, kind.type), decodeMemoryBytes);
    if (!verdict.accepted) throw new PermanentError(verdict.code, verdict.message);
    const { decodeBytes } = verdict;
    const turns = decodeBytes > heavyBytes ? heavy : ordinary;
    return await turns.run(
      1,
      signal,
      async () => await memory.run(decodeBytes, signal, async () => await decode(file)),
    );
  };
}

/** Reads the header alone; the pixel limit is judged afterwards, so that it gets its own code. */
async function readFacts(file: Buffer, type: PhotoType): Promise<ImageFacts> {
  let header: Metadata;
  try {
    header = await sharp(file, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw undecodable(error);
  }
  return {
    type,
    width: header.width,
    height: header.height,
    frames: header.pages ?? 1,
    channels: header.channels,
    bytesPerChannel: header.depth === 'uchar' ? 1 : 2,
    progressive: header.isProgressive,
    quarterColour: header.chromaSubsampling === '4:2:0',
  };
}

async function decode(file: Buffer): Promise<NormalisedImage> {
  try {
    const { data, info } = await sharp(file, {
      failOn: 'error',
      limitInputPixels: imageLimits.maxPixels,
      sequentialRead: true,
    })
      .timeout({ seconds: decodeTimeoutS })
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .resize(maxSidePx, maxSidePx, { fit: 'inside', withoutEnlargement: true })
      // Huffman tables fitted to each picture would make it a tenth smaller, and a photo of a megapixel a third dearer.
      .jpeg({ quality: 85, optimiseCoding: false, chromaSubsampling: '4:2:0' })
      .toBuffer({ resolveWithObject: true });
    return { bytes: data, width: info.width, height: info.height };
  } catch (error) {
    // sharp's errors carry nothing but a message; this one is documented.
    if (error instanceof Error && error.message.startsWith('timeout:')) {
      throw new TransientError('stage_timeout', 'The image took too long to decode. Send a smaller one.', {
        cause: error,
      });
    }
    throw undecodable(error);
  }
}

function undecodable(cause: unknown): PermanentError {
  return new PermanentError('image_undecodable', 'The image is damaged or incomplete. Send it again.', { cause });
}
