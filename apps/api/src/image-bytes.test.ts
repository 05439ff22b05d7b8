import { describe, expect, test } from '@jest/globals';
import { sha256 } from '@bunri/runtime';
import { animatedWebP, drawSamplePhoto, svgFile } from '@bunri/testkit';
import { inspectImage, sniffImage } from './image-bytes.ts';

const ftyp = (brand: string) => Buffer.from(`\0\0\0\x1cftyp${brand}\0\0\0\0mif1avif`, 'latin1');

describe('a photo is known by its first bytes', () => {
  test.each(['jpeg', 'png', 'webp'] as const)('%s', async (format) => {
    expect(sniffImage(await drawSamplePhoto({ format, width: 64, height: 64 }))).toBe('photo');
  });
  test.each([
    ['AVIF', ftyp('avif'), 'photo'],
    ['HEIC', ftyp('heic'), 'photo'],
    ['AVIF sequence', ftyp('avis'), 'animated'],
    ['MP4', ftyp('isom'), 'unsupported'],
    ['GIF', Buffer.from('GIF89a'), 'unsupported'],
    ['PDF', Buffer.from('%PDF-1.7'), 'unsupported'],
    ['SVG', svgFile(), 'unsupported'],
    ['nothing', Buffer.alloc(0), 'unsupported'],
    ['a RIFF that is sound', Buffer.from('RIFF\0\0\0\0WAVEfmt '), 'unsupported'],
  ] as const)('%s', (_name, bytes, kind) => {
    expect(sniffImage(bytes)).toBe(kind);
  });
  test('animated WebP', async () => {
    expect(sniffImage(await animatedWebP())).toBe('animated');
  });
});

test('the facts do not depend on how the bytes were cut', async () => {
  const photo = await drawSamplePhoto({ width: 64, height: 64 });
  for (const pieceBytes of [1, 7, 31, 32, 33, photo.byteLength]) {
    const inspection = inspectImage(photo.byteLength);
    for (let at = 0; at < photo.byteLength; at += pieceBytes) inspection.take(photo.subarray(at, at + pieceBytes));
    expect(inspection.end()).toEqual({ sha256: sha256(photo), sizeBytes: photo.byteLength });
  }
});

test('what is no photo is refused at its first bytes, what is too large at the first byte too many', () => {
  expect(() => inspectImage(1000).take(Buffer.alloc(32))).toThrow(
    expect.objectContaining({ code: 'image_type_unsupported' }),
  );
  const inspection = inspectImage(10);
  inspection.take(Buffer.alloc(10));
  expect(() => inspection.take(Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'image_too_large' }));
});
