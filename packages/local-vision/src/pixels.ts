import sharp from 'sharp';

// Photos come one by one, and each once: what libvips would keep of them, and its threads, are memory for nothing.
sharp.cache(false);
sharp.concurrency(1);

/** Bytes that are no picture. */
export class NoPicture extends Error {
  override readonly name = 'NoPicture';
}

/**
 * A picture as `side` × `side` RGB bytes, upright, on white where it is transparent. The whole picture is kept, stretched to
 * a square, as the networks saw theirs.
 *
 * @throws NoPicture for bytes that are none; what libvips throws where it finds no memory.
 */
export async function readPixels(file: Uint8Array, side: number): Promise<Uint8Array> {
  try {
    return await sharp(file)
      .rotate()
      .resize(side, side, { fit: 'fill' })
      .flatten({ background: '#fff' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer();
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
