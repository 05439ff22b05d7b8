import { createHash } from 'node:crypto';
import { Problem } from './problem.ts';

/** Enough for every signature below, the flags of an extended WebP included. */
const headBytes = 32;

/** What an upload's first bytes say it is. Whether it can be decoded is for preprocess to find out. */
export type ImageKind = 'photo' | 'animated' | 'unsupported';

/**
 * Tells photos from everything else by their signature: JPEG, PNG, WebP (RFC 9649), and AVIF and HEIC (ISO/IEC 23008-12,
 * a `ftyp` box with its brand). A name and a declared type prove nothing and are not looked at.
 */
export function sniffImage(head: Uint8Array): ImageKind {
  const text = Buffer.from(head.subarray(0, headBytes)).toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return 'photo';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'photo';
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return isAnimatedWebP(text) ? 'animated' : 'photo';
  if (text.startsWith('ftyp', 4)) return brandKinds.get(text.slice(8, 12)) ?? 'unsupported';
  return 'unsupported';
}

/** Only the extended format has flags; the second lowest bit says animation. */
function isAnimatedWebP(text: string): boolean {
  return text.startsWith('VP8X', 12) && (text.charCodeAt(20) & 0b10) !== 0;
}

const brandKinds = new Map<string, ImageKind>([
  ['avif', 'photo'],
  ['heic', 'photo'],
  ['heix', 'photo'],
  ['mif1', 'photo'],
  ['avis', 'animated'],
  ['hevc', 'animated'],
  ['hevx', 'animated'],
  ['msf1', 'animated'],
]);

export interface ImageFacts {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Looks at an upload while it passes, chunk by chunk, and keeps nothing of it but its first bytes. */
export interface Inspection {
  /** @throws Problem as soon as the upload is too large or is no photo. */
  take(chunk: Uint8Array): void;
  /** @throws Problem when the upload ended empty, or too early to be a photo. */
  end(): ImageFacts;
}

export function inspectImage(maxBytes: number): Inspection {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let head = Buffer.alloc(0);
  let sniffed = false;
  const sniff = () => {
    const kind = sniffImage(head);
    if (kind !== 'photo') throw refusals[kind]();
    sniffed = true;
  };
  return {
    take(chunk) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > maxBytes) throw imageTooLarge(maxBytes);
      hash.update(chunk);
      if (sniffed) return;
      head = Buffer.concat([head, chunk.subarray(0, headBytes - head.byteLength)]);
      if (head.byteLength === headBytes) sniff();
    },
    end() {
      if (sizeBytes === 0) throw new Problem('image_empty', 'The file has no bytes. Send a photo.');
      if (!sniffed) sniff();
      return { sha256: hash.digest('hex'), sizeBytes };
    },
  };
}

export function imageTooLarge(maxBytes: number): Problem {
  const mebibytes = maxBytes / 2 ** 20;
  return new Problem('image_too_large', `Send a photo of at most ${mebibytes} MiB; a smaller one answers as well.`);
}

const refusals = {
  animated: () => new Problem('image_animated', 'The file is an animation. Send a still photo.'),
  unsupported: () =>
    new Problem('image_type_unsupported', 'The file is no photo that can be read. Send a JPEG, PNG, WebP or AVIF.'),
};
