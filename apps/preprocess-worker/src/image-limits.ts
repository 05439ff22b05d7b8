import type { FailureCode } from '@bunri/queue-contracts';
import type { ImageType } from './image-type.ts';

const mib = 2 ** 20;

export const imageLimits = {
  /** Of the file as it was sent. */
  maxBytes: 10 * mib,
  maxPixels: 50_000_000,
  /** Of the shorter side; on less than this nobody recognises a thing. */
  minSidePx: 16,
} as const;

export type PhotoType = 'jpeg' | 'png' | 'webp' | 'avif';

/** What a file's header says about it. */
export interface ImageFacts {
  readonly type: PhotoType;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly channels: number;
  readonly bytesPerChannel: number;
  /** A progressive JPEG or an interlaced PNG: the decoder must hold the whole picture. */
  readonly progressive: boolean;
  /** Of a JPEG: colour is stored at a quarter of the resolution. */
  readonly quarterColour: boolean;
}

export type Verdict<Accepted> =
  | ({ accepted: true } & Accepted)
  | { accepted: false; code: FailureCode; message: string };

/** Which types are decoded at all. HEIC is not: the prebuilt libvips has no HEVC decoder. */
export function judgeType(type: ImageType | null): Verdict<{ type: PhotoType }> {
  switch (type) {
    case 'jpeg':
    case 'png':
    case 'webp':
    case 'avif':
      return { accepted: true, type };
    case 'apng':
    case 'avif-sequence':
      return refuse('image_animated', 'The image is animated. Send a single picture.');
    case 'heic':
    case 'gif':
    case 'tiff':
    case 'bmp':
    case 'svg':
    case 'pdf':
      return refuse(
        'image_type_unsupported',
        `${type.toUpperCase()} files are not supported. Send JPEG, PNG, WebP or AVIF.`,
      );
    case null:
      return refuse('image_type_unsupported', 'The file is not an image that we know. Send JPEG, PNG, WebP or AVIF.');
  }
}

/** Whether the picture may be decoded, and how much memory that takes. */
export function judgeImage(facts: ImageFacts, decodeMemoryBytes: number): Verdict<{ decodeBytes: number }> {
  const pixels = facts.width * facts.height;
  if (facts.frames > 1) return refuse('image_animated', 'The image is animated. Send a single picture.');
  if (pixels > imageLimits.maxPixels) {
    return refuse('image_pixels_exceeded', 'The image has more than 50 megapixels. Send a smaller one.');
  }
  if (Math.min(facts.width, facts.height) < imageLimits.minSidePx) {
    return refuse('image_too_small', 'A side of the image is shorter than 16 pixels. Send a larger one.');
  }
  const decodeBytes = estimateDecodeBytes(facts);
  if (decodeBytes > decodeMemoryBytes) {
    return refuse(
      'image_pixels_exceeded',
      'The image has too many pixels for its format. Send a smaller one, or a JPEG that is not progressive.',
    );
  }
  return { accepted: true, decodeBytes };
}

/**
 * Memory that libvips 8.18 takes to decode and shrink a picture, from above; measured as growth of the resident set on
 * pictures of 12 and 48 megapixels. A plain JPEG is shrunk while it is read, and costs next to nothing.
 */
export function estimateDecodeBytes(facts: ImageFacts): number {
  return Math.ceil(20 * mib + facts.width * facts.height * bytesPerPixel(facts));
}

function bytesPerPixel({ type, progressive, quarterColour, channels, bytesPerChannel }: ImageFacts): number {
  switch (type) {
    case 'jpeg':
      // All coefficients are held, two bytes each, until the last scan has been read.
      if (progressive) return quarterColour ? 3 : 2 * channels;
      return 0.1;
    case 'png':
      return progressive ? channels * bytesPerChannel : 1;
    case 'webp':
      // The header does not say which: lossless needs the whole picture, lossy far less.
      return 4;
    case 'avif':
      return 19;
  }
}

function refuse(code: FailureCode, message: string): { accepted: false; code: FailureCode; message: string } {
  return { accepted: false, code, message };
}
