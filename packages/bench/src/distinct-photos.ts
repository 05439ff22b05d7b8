import sharp from 'sharp';
import { drawSamplePhoto } from '@bunri/testkit';

/** 1 MP. */
const size = { width: 1152, height: 868 };
/** Noise of a sensor, so that the file is as large as that of a camera. */
const grain = 24;
/** Coefficients that each number changes, lowest frequencies first; the very first one, brightness, stays. */
const bits = 20;

/** A JPEG of 1 MP, as a camera makes it: about 140 kB. */
export async function drawCameraPhoto(): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: grain } as const;
  const layer = { create: { ...size, channels: 3, background: '#808080', noise } } as const;
  const png = await drawSamplePhoto({ ...size, format: 'png' });
  return await sharp(png)
    .composite([{ input: layer, blend: 'soft-light' }])
    .jpeg({ quality: 85 })
    .toBuffer();
}

/**
 * Makes photos out of one, each with pixels of its own, at the price of a copy: a number's bits stretch the low frequencies
 * by one step of quantisation each. Numbers below 2^20 give different pictures.
 *
 * @throws when the JPEG has no quantisation table of 8 bits.
 */
export function distinctPhotos(photo: Buffer): (number: number) => Buffer {
  const table = findQuantisationTable(photo);
  return (number) => {
    const variant = Buffer.from(photo);
    for (let bit = 0; bit < bits; bit += 1) {
      const at = table + 1 + bit;
      const step = variant.readUInt8(at) + ((number >> bit) & 1);
      // Quantisers of a poor photo may stand at the limit already; one step down is as different.
      variant.writeUInt8(step > 255 ? 254 : step, at);
    }
    return variant;
  };
}

/** The offset of the first table's values (ITU-T T.81, B.2.4.1). */
function findQuantisationTable(photo: Buffer): number {
  let at = 2;
  while (at + 4 < photo.length && photo.readUInt8(at) === 0xff) {
    const precision = photo.readUInt8(at + 4) >> 4;
    if (photo.readUInt8(at + 1) === 0xdb && precision === 0) return at + 5;
    at += 2 + photo.readUInt16BE(at + 2);
  }
  throw new Error('the photo has no quantisation table of 8 bits');
}
