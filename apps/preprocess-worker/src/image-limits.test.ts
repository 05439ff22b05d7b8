import { expect, test } from '@jest/globals';
import { judgeImage, judgeType, type ImageFacts } from './image-limits.ts';

const mib = 2 ** 20;
const budget = 256 * mib;
const phonePhoto: ImageFacts = {
  type: 'jpeg',
  width: 8000,
  height: 6000,
  frames: 1,
  channels: 3,
  bytesPerChannel: 1,
  progressive: false,
  quarterColour: true,
};

test.each([
  ['48 megapixels of a telephone', 'accepted', {}],
  ['exactly 50 megapixels', 'accepted', { width: 10_000, height: 5_000 }],
  ['one column more than 50 megapixels', 'image_pixels_exceeded', { width: 10_001, height: 5_000 }],
  ['16 pixels a side', 'accepted', { width: 16, height: 16 }],
  ['15 pixels on the shorter side', 'image_too_small', { width: 4000, height: 15 }],
  ['two frames', 'image_animated', { type: 'webp', width: 64, height: 64, frames: 2 }],
  ['a progressive JPEG of 48 megapixels', 'accepted', { progressive: true }],
  ['the same with full colour resolution', 'image_pixels_exceeded', { progressive: true, quarterColour: false }],
  ['a PNG of 48 megapixels', 'accepted', { type: 'png', channels: 4 }],
  [
    'the same with 16 bits, interlaced',
    'image_pixels_exceeded',
    { type: 'png', bytesPerChannel: 2, progressive: true },
  ],
  ['an AVIF of 12 megapixels', 'accepted', { type: 'avif', width: 4000, height: 3000 }],
  ['an AVIF of 48 megapixels', 'image_pixels_exceeded', { type: 'avif' }],
] as const)('%s: %s', (_name, expected, facts: Partial<ImageFacts>) => {
  const verdict = judgeImage({ ...phonePhoto, ...facts }, budget);
  expect(verdict.accepted ? 'accepted' : verdict.code).toBe(expected);
});

test('eight plain telephone photos of 48 megapixels decode at once', () => {
  const verdict = judgeImage(phonePhoto, budget);
  expect(verdict.accepted && verdict.decodeBytes * 8 <= budget).toBe(true);
});

test.each(['heic', 'gif', 'tiff', 'bmp', 'svg', 'pdf', null] as const)('%s never reaches a decoder', (type) => {
  expect(judgeType(type)).toMatchObject({ accepted: false, code: 'image_type_unsupported' });
});

test.each(['apng', 'avif-sequence'] as const)('%s is refused as animated', (type) => {
  expect(judgeType(type)).toMatchObject({ accepted: false, code: 'image_animated' });
});
