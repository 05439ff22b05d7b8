import { expect, test } from '@jest/globals';
import sharp from 'sharp';
import { sha256 } from '@bunri/runtime';
import {
  animatedGif,
  animatedWebP,
  drawSamplePhoto,
  jpegWithExifOrientationAndGps,
  onePixelPng,
  pixelBombPng,
  svgFile,
  textNamedJpg,
  truncatedJpeg,
} from '@bunri/testkit';
import { createNormaliser } from './normalise.ts';

const mib = 2 ** 20;
const normalise = createNormaliser({ decodeMemoryBytes: 256 * mib });
const { signal } = new AbortController();

test.each([
  ['image_empty', 'no bytes', () => Buffer.alloc(0)],
  ['image_type_unsupported', 'text named .jpg', textNamedJpg],
  ['image_type_unsupported', 'an SVG document', svgFile],
  ['image_type_unsupported', 'an animated GIF', animatedGif],
  ['image_animated', 'an animated WebP', animatedWebP],
  ['image_pixels_exceeded', 'a PNG that unpacks to 900 megapixels', pixelBombPng],
  ['image_too_small', 'one pixel', onePixelPng],
  ['image_undecodable', 'half a JPEG', truncatedJpeg],
  ['image_undecodable', 'a JPEG that is only its first bytes', () => Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
])('%s: %s', async (code, _what, make) => {
  const file = await make();
  await expect(normalise(file, signal)).rejects.toMatchObject({ name: 'PermanentError', code });
});

test('hostile files leave no mark on the memory of the process', async () => {
  const files = [pixelBombPng(), Buffer.alloc(11 * mib, 'not an image '), await truncatedJpeg(), await animatedWebP()];
  const peakBytes = () => process.resourceUsage().maxRSS * 1024;
  const before = peakBytes();
  const results = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => normalise(files[i % 4]!, signal)));
  expect(results.map(({ status }) => status)).toEqual(Array(8).fill('rejected'));
  expect(peakBytes() - before).toBeLessThan(200 * mib);
});

test.each(['jpeg', 'png', 'webp'] as const)('a large %s becomes a JPEG that fits 1024 pixels', async (format) => {
  const photo = await normalise(await drawSamplePhoto({ width: 3000, height: 2000, format }), signal);
  expect(photo).toMatchObject({ width: 1024, height: 683 });
  expect(await sharp(photo.bytes).metadata()).toMatchObject({ format: 'jpeg', width: 1024, height: 683 });
});

test('an AVIF is accepted', async () => {
  const file = await sharp(await drawSamplePhoto({ width: 200, height: 150 }))
    .avif({ effort: 0 })
    .toBuffer();
  expect(await normalise(file, signal)).toMatchObject({ width: 200, height: 150 });
});

test('a small photo is not enlarged', async () => {
  expect(await normalise(await drawSamplePhoto({ width: 320, height: 200 }), signal)).toMatchObject({ width: 320 });
});

test('a photo stands upright, and tells neither place nor camera', async () => {
  const file = await jpegWithExifOrientationAndGps();
  expect(await sharp(file).metadata()).toMatchObject({ width: 800, height: 600, orientation: 6 });
  const photo = await normalise(file, signal);
  expect(photo).toMatchObject({ width: 600, height: 800 });
  const metadata = await sharp(photo.bytes).metadata();
  for (const field of ['exif', 'xmp', 'icc', 'iptc', 'orientation'] as const) expect(metadata[field]).toBeUndefined();
  expect(photo.bytes.includes('Bunri')).toBe(false);
});

test('the same pixels give the same bytes, whatever metadata they come with', async () => {
  const plain = await drawSamplePhoto();
  const comment = Buffer.from('\xFF\xFE\0\x0Csent again', 'latin1');
  const commented = Buffer.concat([plain.subarray(0, 2), comment, plain.subarray(2)]);
  const [first, second] = [await normalise(plain, signal), await normalise(commented, signal)];
  expect(sha256(second.bytes)).toBe(sha256(first.bytes));
});

test('see-through parts become white', async () => {
  const file = await sharp({
    create: { width: 64, height: 64, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer();
  const { data, info } = await sharp((await normalise(file, signal)).bytes)
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  expect(data.every((value) => value > 250)).toBe(true);
});

test('as many pictures are worked on at once as the cores can, and the others wait', async () => {
  const paced = createNormaliser({ decodeMemoryBytes: 256 * mib, decodeConcurrency: 2 });
  const file = await drawSamplePhoto({ width: 1600, height: 1200 });
  const atOnce: number[] = [];
  // Headers are read at any time, and not counted here.
  const timer = setInterval(() => atOnce.push(sharp.counters().process), 1);
  try {
    await Promise.all(Array.from({ length: 8 }, async () => await paced(file, signal)));
  } finally {
    clearInterval(timer);
  }
  expect(Math.max(...atOnce)).toBe(2);
});

test('a picture that takes long does not hold up those that do not', async () => {
  const paced = createNormaliser({ decodeMemoryBytes: 256 * mib, decodeConcurrency: 1 });
  const heavy = await drawSamplePhoto({ width: 4200, height: 3000, format: 'webp' });
  const light = await drawSamplePhoto({ width: 320, height: 200 });
  const order: string[] = [];
  const run = async (name: string, file: Buffer) => {
    await paced(file, signal);
    order.push(name);
  };
  await Promise.all([run('heavy', heavy), run('heavy', heavy), run('light', light)]);
  expect(order).toEqual(['light', 'heavy', 'heavy']);
});

test('a file whose decoder needs more than all the memory there is, is refused by its header', async () => {
  const small = createNormaliser({ decodeMemoryBytes: 21 * mib });
  const file = await drawSamplePhoto({ width: 1600, height: 1200, format: 'webp' });
  await expect(small(file, signal)).rejects.toMatchObject({ code: 'image_pixels_exceeded' });
});
