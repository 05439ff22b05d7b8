import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import sharp from 'sharp';
import { distinctPhotos, drawCameraPhoto } from './distinct-photos.ts';

test('every number gives another picture, also once it has been made smaller and encoded again', async () => {
  const nth = distinctPhotos(await drawCameraPhoto());
  const numbers = [...Array.from({ length: 24 }, (_, i) => i), ...Array.from({ length: 20 }, (_, bit) => 2 ** bit)];
  const hashes = new Set<string>();
  for (const number of new Set(numbers)) {
    const small = await sharp(nth(number)).resize(1024, 1024, { fit: 'inside' }).jpeg({ quality: 85 }).toBuffer();
    hashes.add(createHash('sha256').update(small).digest('hex'));
  }
  expect(hashes.size).toBe(new Set(numbers).size);
});

test('a photo for the bench is one of a million pixels', async () => {
  const { width, height, format } = await sharp(await drawCameraPhoto()).metadata();
  expect(format).toBe('jpeg');
  expect((width * height) / 1e6).toBeCloseTo(1, 2);
});

test('what is no JPEG is refused', () => {
  expect(() => distinctPhotos(Buffer.from('GIF89a…'))).toThrow('no quantisation table');
});
