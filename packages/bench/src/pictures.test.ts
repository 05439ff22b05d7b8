import { expect, test } from '@jest/globals';
import sharp from 'sharp';
import { drawPicture, pictureFormats } from './pictures.ts';

test.each(pictureFormats)('a %s is what it is called, and the same again for the same seed', async (format) => {
  const options = { megapixels: 0.012, format, seed: 3 };
  const picture = await drawPicture(options);
  expect(await sharp(picture).metadata()).toMatchObject({ format, width: 127, height: 95 });
  expect(picture.equals(await drawPicture(options))).toBe(true);
  expect(picture.equals(await drawPicture({ ...options, seed: 4 }))).toBe(false);
});
