import { expect, test } from '@jest/globals';
import sharp from 'sharp';
import * as hostile from './hostile-photos.ts';
import { drawSamplePhoto, jpegWithExifOrientationAndGps } from './photos.ts';

test('a sample photo is a JPEG of the asked size', async () => {
  const photo = await drawSamplePhoto({ width: 640, height: 480 });
  expect(await sharp(photo).metadata()).toMatchObject({ format: 'jpeg', width: 640, height: 480 });
});

test('the same seed draws the same bytes, another seed draws others', async () => {
  const [first, again, other] = await Promise.all([1, 1, 2].map((seed) => drawSamplePhoto({ seed })));
  expect(first).toEqual(again);
  expect(first).not.toEqual(other);
});

test.each(['png', 'webp'] as const)('a sample photo can be a %s', async (format) => {
  expect((await sharp(await drawSamplePhoto({ format })).metadata()).format).toBe(format);
});

test('the EXIF photo says that it is turned and where it was taken', async () => {
  const { orientation, exif, width, height } = await sharp(await jpegWithExifOrientationAndGps()).metadata();
  expect({ orientation, width, height }).toEqual({ orientation: 6, width: 800, height: 600 });
  // 126° 58' 41" as three little-endian fractions, the way the GPS directory stores them.
  const longitude = Buffer.from(new Uint32Array([126, 1, 58, 1, 41, 1]).buffer);
  expect(exif?.includes(longitude)).toBe(true);
});

test('the truncated JPEG has a readable header and too few pixels', async () => {
  const photo = await hostile.truncatedJpeg();
  expect((await sharp(photo).metadata()).format).toBe('jpeg');
  await expect(sharp(photo).raw().toBuffer()).rejects.toThrow(/premature end/i);
});

test('the one-pixel PNG decodes', async () => {
  const { info } = await sharp(hostile.onePixelPng()).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([1, 1]);
});

test('a hand-made PNG is valid to its last byte', async () => {
  const { info } = await sharp(hostile.pixelBombPng(5_000, 5_000), { failOn: 'warning' })
    .resize(10, 10)
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([10, 10]);
});

test('the pixel bomb is small, claims 900 megapixels and is made without holding them', async () => {
  const before = process.memoryUsage().rss;
  const bomb = hostile.pixelBombPng();
  expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
  expect(bomb.length).toBeLessThan(150_000);
  const { width, height } = await sharp(bomb, { limitInputPixels: false }).metadata();
  expect([width, height]).toEqual([30_000, 30_000]);
});

test('the animations have three frames', async () => {
  expect((await sharp(await hostile.animatedGif()).metadata()).pages).toBe(3);
  expect((await sharp(await hostile.animatedWebP()).metadata()).pages).toBe(3);
});

test('the SVG is an SVG, and the text is no image at all', async () => {
  expect((await sharp(hostile.svgFile()).metadata()).format).toBe('svg');
  await expect(sharp(hostile.textNamedJpg()).metadata()).rejects.toThrow(/unsupported image format/);
});
