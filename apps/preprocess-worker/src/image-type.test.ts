import { expect, test } from '@jest/globals';
import sharp from 'sharp';
import { animatedGif, animatedWebP, drawSamplePhoto, onePixelPng, svgFile, textNamedJpg } from '@bunri/testkit';
import { detectImageType } from './image-type.ts';

const blank = sharp({ create: { width: 32, height: 32, channels: 3, background: 'white' } });
const text = (content: string) => Buffer.from(content, 'latin1');
const isoFile = (major: string, ...compatible: string[]) => {
  const box = text(`\0\0\0\0ftyp${major}\0\0\0\0${compatible.join('')}`);
  box.writeUInt32BE(box.length);
  return box;
};

test.each([
  ['jpeg', async () => await drawSamplePhoto()],
  ['png', async () => await drawSamplePhoto({ format: 'png' })],
  ['png', () => onePixelPng()],
  ['webp', async () => await drawSamplePhoto({ format: 'webp' })],
  ['webp', async () => await animatedWebP()],
  ['avif', async () => await blank.clone().avif({ effort: 0 }).toBuffer()],
  ['avif', () => isoFile('mif1', 'miaf', 'avif')],
  ['avif-sequence', () => isoFile('avis', 'avif', 'msf1')],
  ['heic', () => isoFile('heic', 'mif1')],
  ['heic', () => isoFile('mif1', 'heic')],
  ['gif', async () => await animatedGif()],
  ['tiff', async () => await blank.clone().tiff().toBuffer()],
  ['bmp', () => text('BM\x46\0\0\0')],
  ['svg', () => svgFile()],
  ['svg', () => text('\xEF\xBB\xBF\n <!-- a comment --><svg xmlns="http://www.w3.org/2000/svg"/>')],
  ['pdf', () => text('%PDF-1.7\n')],
  [null, () => textNamedJpg()],
  [null, () => isoFile('isom', 'mp42')],
  [null, () => Buffer.alloc(0)],
  [null, () => text('\xFF\xD8')],
])('a file is known as %s by its first bytes', async (type, make) => {
  expect(detectImageType(await make())).toBe(type);
});

test('an animated PNG is told from a still one', () => {
  const still = onePixelPng();
  const afterHeader = 8 + 25;
  const control = Buffer.alloc(12 + 8);
  control.writeUInt32BE(8);
  control.write('acTL', 4, 'latin1');
  const animated = Buffer.concat([still.subarray(0, afterHeader), control, still.subarray(afterHeader)]);

  expect(detectImageType(still)).toBe('png');
  expect(detectImageType(animated)).toBe('apng');
});

test('a PNG whose chunk lengths lead nowhere is read to its end and no further', () => {
  const broken = Buffer.from(onePixelPng());
  broken.writeUInt32BE(0xff_ff_ff_ff, 8);
  expect(detectImageType(broken)).toBe('png');
});
