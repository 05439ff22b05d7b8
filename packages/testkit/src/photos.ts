import sharp from 'sharp';
import { seededRandom } from './seeded-random.ts';

export interface PhotoOptions {
  /** Pixels; default 800 × 600. */
  readonly width?: number;
  readonly height?: number;
  /** Another seed draws another bottle, so that no two seeds give the same bytes or pixels. Default 1. */
  readonly seed?: number;
  /** Default `jpeg`. */
  readonly format?: 'jpeg' | 'png' | 'webp';
}

/** Draws a see-through bottle with a cap and a label on a table. The same options give the same picture. */
export async function drawSamplePhoto(options: PhotoOptions = {}): Promise<Buffer> {
  const { width = 800, height = 600, seed = 1, format = 'jpeg' } = options;
  return sharp(Buffer.from(bottle(width, height, seed)), { density: 72 })
    .resize(width, height, { fit: 'fill' })
    .toFormat(format, format === 'png' ? {} : { quality: 85 })
    .toBuffer();
}

/**
 * A photo as a telephone stores it: turned by 90° with only EXIF saying so, and with the place where it was taken
 * (37° 33' 59" N, 126° 58' 41" E). Stored 800 × 600; shown upright it is 600 × 800.
 */
export async function jpegWithExifOrientationAndGps(): Promise<Buffer> {
  return sharp(await drawSamplePhoto({ seed: 7 }))
    .withExif({
      IFD0: { Make: 'Bunri', Model: 'Sample camera' },
      IFD3: {
        GPSLatitudeRef: 'N',
        GPSLatitude: '37/1 33/1 59/1',
        GPSLongitudeRef: 'E',
        GPSLongitude: '126/1 58/1 41/1',
      },
    })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 85 })
    .toBuffer();
}

function bottle(width: number, height: number, seed: number): string {
  const next = seededRandom(seed);
  const hue = () => Math.floor(next() * 360);
  const tilt = (next() * 16 - 8).toFixed(2);
  const x = (320 + next() * 160).toFixed(1);
  const labelTop = (300 + next() * 60).toFixed(1);
  const highlights = Array.from({ length: 6 }, () => {
    const at = [-40 + next() * 80, 180 + next() * 300, 2 + next() * 5].map((value) => value.toFixed(1));
    return `<circle cx="${at[0]}" cy="${at[1]}" r="${at[2]}" fill="#fff" opacity=".6"/>`;
  }).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 600" preserveAspectRatio="none" width="${width}" height="${height}">
  <defs><linearGradient id="wall" x2="0" y2="1">
    <stop offset="0" stop-color="hsl(${hue()} 25% 88%)"/><stop offset="1" stop-color="hsl(${hue()} 20% 70%)"/>
  </linearGradient></defs>
  <rect width="800" height="600" fill="url(#wall)"/>
  <rect y="470" width="800" height="130" fill="hsl(${hue()} 30% 45%)"/>
  <g transform="translate(${x} 0) rotate(${tilt} 0 500)">
    <ellipse cy="520" rx="95" ry="14" fill="#000" opacity=".25"/>
    <rect x="-22" y="62" width="44" height="30" rx="4" fill="hsl(${hue()} 70% 45%)"/>
    <path d="M-18 92 h36 v40 q52 30 52 90 v270 q0 28 -28 28 h-84 q-28 0 -28 -28 v-270 q0 -60 52 -90 z"
      fill="#dff1f5" fill-opacity=".55" stroke="#7fa3ad" stroke-width="4"/>
    <rect x="-69" y="${labelTop}" width="138" height="96" fill="hsl(${hue()} 60% 55%)" opacity=".92"/>
    <path d="M-52 190 q-8 150 0 280" stroke="#fff" stroke-width="7" fill="none" opacity=".8"/>${highlights}
  </g></svg>`;
}
