/** What the first bytes of a file say that it is. `avif-sequence` is an animated AVIF, `apng` an animated PNG. */
export type ImageType =
  | 'jpeg'
  | 'png'
  | 'apng'
  | 'webp'
  | 'avif'
  | 'avif-sequence'
  | 'heic'
  | 'gif'
  | 'tiff'
  | 'bmp'
  | 'svg'
  | 'pdf';

/**
 * Recognises a file by its signature, before any decoder sees it; null when it is none that is known. The name and the
 * media type that a client gives are never asked.
 */
export function detectImageType(bytes: Uint8Array): ImageType | null {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 1024)).toString('latin1');
  if (start.startsWith('\xFF\xD8\xFF')) return 'jpeg';
  if (start.startsWith('\x89PNG\r\n\x1A\n')) return isAnimatedPng(bytes) ? 'apng' : 'png';
  if (start.startsWith('RIFF') && start.startsWith('WEBP', 8)) return 'webp';
  if (start.startsWith('ftyp', 4)) return detectIsoType(start);
  if (start.startsWith('GIF87a') || start.startsWith('GIF89a')) return 'gif';
  if (start.startsWith('II*\0') || start.startsWith('MM\0*')) return 'tiff';
  if (start.startsWith('BM')) return 'bmp';
  if (start.startsWith('%PDF-')) return 'pdf';
  if (/^(?:\xEF\xBB\xBF)?\s*<(?:\?xml|!--|!doctype svg|svg)/i.test(start)) return 'svg';
  return null;
}

/** The file type box of ISO/IEC 14496-12: a major brand, a version, then the compatible brands, four letters each. */
function detectIsoType(start: string): ImageType | null {
  const boxBytes = start.charCodeAt(2) * 256 + start.charCodeAt(3);
  const brands = new Set([start.slice(8, 12)]);
  for (let at = 16; at + 4 <= Math.min(boxBytes, start.length); at += 4) brands.add(start.slice(at, at + 4));
  if (brands.has('avis')) return 'avif-sequence';
  if (brands.has('avif')) return 'avif';
  const heic = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1'];
  return heic.some((brand) => brands.has(brand)) ? 'heic' : null;
}

/** An animated PNG has an `acTL` chunk before its first image data; a decoder that does not know it shows one frame. */
function isAnimatedPng(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunkOverhead = 12;
  for (let at = 8; at + chunkOverhead <= bytes.byteLength; at += view.getUint32(at) + chunkOverhead) {
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === 'acTL') return true;
    if (name === 'IDAT') return false;
  }
  return false;
}
