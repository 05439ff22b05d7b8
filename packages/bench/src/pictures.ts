import sharp from 'sharp';
import { seededRandom } from '@bunri/testkit';

export const pictureFormats = ['jpeg', 'png', 'webp'] as const;
export type PictureFormat = (typeof pictureFormats)[number];

export interface PictureOptions {
  readonly megapixels: number;
  readonly format: PictureFormat;
  /** Another seed gives other pixels. */
  readonly seed: number;
}

/** Colours that the gradients run between. */
const cells = { width: 16, height: 12, channels: 3 } as const;
/** A megapixel; larger pictures are this one and its reflections. */
const maxTile = { width: 1155, height: 866 } as const;
/** Of the sensor, in steps of brightness: a JPEG of a megapixel gets 170 kB, as a telephone's. */
const grain = 12;
/** Between neighbouring shades of a drawing. */
const shade = 8;

/**
 * Draws gradients with the noise of a sensor, 4:3, the same for the same options. A PNG gets flat shades instead, as in a
 * drawing: with noise, none of 12 megapixels would be below the 10 MiB that are accepted.
 */
export async function drawPicture({ megapixels, format, seed }: PictureOptions): Promise<Buffer> {
  const height = Math.round(Math.sqrt(megapixels * 1e6 * 0.75));
  const width = Math.round((height * 4) / 3);
  const tile = {
    width: Math.min(width, maxTile.width),
    height: Math.min(height, maxTile.height),
    channels: 3,
  } as const;
  const picture = sharp(await drawTile(tile, seed, format === 'png'), { raw: tile }).extend({
    right: width - tile.width,
    bottom: height - tile.height,
    extendWith: 'mirror',
  });
  switch (format) {
    case 'jpeg':
      return await picture.jpeg({ quality: 85 }).toBuffer();
    case 'png':
      return await picture.png().toBuffer();
    case 'webp':
      return await picture.webp({ quality: 80, effort: 0 }).toBuffer();
  }
}

async function drawTile(
  { width, height, channels }: { width: number; height: number; channels: 3 },
  seed: number,
  flat: boolean,
): Promise<Uint8Array> {
  const next = seededRandom(seed);
  const colours = Buffer.from(
    Array.from({ length: cells.width * cells.height * cells.channels }, () => 40 + Math.floor(next() * 176)),
  );
  const pixels = await sharp(colours, { raw: cells }).resize(width, height, { fit: 'fill' }).raw().toBuffer();
  let noise = 0;
  return pixels.map((value, at) => {
    if (flat) return value - (value % shade);
    if (at % channels === 0) noise = (next() + next() - 1) * grain;
    return Math.max(0, Math.min(255, value + noise));
  });
}
