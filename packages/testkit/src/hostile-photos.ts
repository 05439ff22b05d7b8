import { constants, crc32, deflateRawSync } from 'node:zlib';
import sharp from 'sharp';
import { drawSamplePhoto } from './photos.ts';

/** The first half of a good JPEG: the header is sound, most of the pixels are missing. */
export async function truncatedJpeg(): Promise<Buffer> {
  const whole = await drawSamplePhoto({ seed: 3 });
  return whole.subarray(0, Math.floor(whole.length / 2));
}

/** A valid PNG of one pixel. */
export function onePixelPng(): Buffer {
  return greyPng(1, 1);
}

/**
 * A valid PNG of some 110 kB that decodes to 900 megapixels, or to `width × height`. It is made without ever holding
 * those pixels.
 */
export function pixelBombPng(width = 30_000, height = 30_000): Buffer {
  return greyPng(width, height);
}

/** An SVG document, which can reference files and networks and must not be taken for a photo. */
export function svgFile(): Buffer {
  return Buffer.from(
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="red"/></svg>',
  );
}

/** Plain text that a client sends under the name `photo.jpg`. */
export function textNamedJpg(): Buffer {
  return Buffer.from('This is not a photo, whatever its name says.\n'.repeat(20));
}

export function animatedGif(): Promise<Buffer> {
  return animation('gif');
}

export function animatedWebP(): Promise<Buffer> {
  return animation('webp');
}

/** Three frames of one colour each. */
async function animation(format: 'gif' | 'webp'): Promise<Buffer> {
  const frames = await Promise.all(
    ['red', 'green', 'blue'].map((background) =>
      sharp({ create: { width: 64, height: 64, channels: 3, background } })
        .png()
        .toBuffer(),
    ),
  );
  return sharp(frames, { join: { animated: true } })
    .toFormat(format, { loop: 0, delay: [100, 100, 100] })
    .toBuffer();
}

/**
 * A black PNG with one bit a pixel, put together by hand after the PNG specification (W3C, third edition): signature,
 * IHDR, IDAT, IEND.
 */
function greyPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Bit depth 1, colour type 0 (grey), then the only defined compression and filter methods, not interlaced.
  header.set([1, 0, 0, 0, 0], 8);
  // A row is one filter byte and its packed pixels, all zero.
  const rawBytes = height * (1 + Math.ceil(width / 8));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflatedZeros(rawBytes)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/**
 * A zlib stream (RFC 1950) of `count` zero bytes. A stretch of zeros that was flushed in full ends on a byte and refers
 * to nothing before it, so that copies of it can simply be put one after the other.
 */
function deflatedZeros(count: number): Buffer {
  const stretchBytes = 2 ** 20;
  const stretch = deflateRawSync(Buffer.alloc(stretchBytes), { finishFlush: constants.Z_FULL_FLUSH });
  const rest = deflateRawSync(Buffer.alloc(count % stretchBytes));
  const checksum = Buffer.alloc(4);
  // Adler-32 of zeros: the first sum stays 1, the second counts the bytes.
  checksum.writeUInt16BE(count % 65_521, 0);
  checksum.writeUInt16BE(1, 2);
  return Buffer.concat([
    Buffer.from([0x78, 0x9c]),
    ...Array.from({ length: Math.floor(count / stretchBytes) }, () => stretch),
    rest,
    checksum,
  ]);
}
