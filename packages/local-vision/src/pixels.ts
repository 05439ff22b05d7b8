import sharp, { type ResizeOptions } from 'sharp';

// Photos come one by one, and each once: what libvips would keep of them, and its threads, are memory for nothing.
sharp.cache(false);
sharp.concurrency(1);

/** Bytes that are no picture. */
export class NoPicture extends Error {
  override readonly name = 'NoPicture';
}

/** RGB bytes, row by row. */
export interface Pixels {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * A picture of just this size. `fill` keeps the whole of it, stretched to the frame, as the networks here saw theirs;
 * `cover` cuts off what is over.
 *
 * @throws as `readWithin`.
 */
export async function readPixels(
  file: Uint8Array,
  width: number,
  height = width,
  fit: 'fill' | 'cover' = 'fill',
): Promise<Uint8Array> {
  const { pixels } = await decode(file, { width, height, fit });
  return pixels;
}

/**
 * A picture in its own proportions, made smaller where a side is longer than `mostSide`: upright, and on white where it is
 * transparent.
 *
 * @throws NoPicture for bytes that are none; what libvips throws where it finds no memory.
 */
export async function readWithin(file: Uint8Array, mostSide: number): Promise<Pixels> {
  return await decode(file, { width: mostSide, height: mostSide, fit: 'inside', withoutEnlargement: true });
}

async function decode(file: Uint8Array, size: ResizeOptions): Promise<Pixels> {
  try {
    const { data, info } = await sharp(file)
      .rotate()
      .resize(size)
      .flatten({ background: '#fff' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { pixels: data, width: info.width, height: info.height };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (/memory/i.test(why)) throw error;
    throw new NoPicture(`these bytes are no picture: ${why}`, { cause: error });
  }
}

/** A small grey picture, for a first run. */
export async function blankPicture(): Promise<Uint8Array> {
  return await sharp({ create: { width: 64, height: 64, channels: 3, background: '#888' } })
    .jpeg()
    .toBuffer();
}
