/** A photo as it will be sent. */
export interface PreparedPhoto {
  readonly blob: Blob;
  readonly width: number;
  readonly height: number;
  /** As it was chosen, where it was made smaller or written anew. */
  readonly from: { readonly width: number; readonly height: number } | null;
}

/** Why a file is no photo to be sent, by the words for it. */
export type PhotoProblem = 'photoUnreadable' | 'photoHeic';

/** More is not looked at: the service itself makes a photo smaller than this. */
const longestSide = 2048;
/** Larger files are written anew, whatever their sides are. */
const maxBytes = 4 * 2 ** 20;
const accepted: readonly string[] = ['image/jpeg', 'image/png', 'image/webp', 'image/avif'];
const quality = 0.9;

/**
 * Makes a huge photo smaller before it is sent, and one of a kind that the service does not take into a JPEG, where the
 * browser can read it.
 */
export async function preparePhoto(file: Blob): Promise<PreparedPhoto | PhotoProblem> {
  const picture = await createImageBitmap(file, { imageOrientation: 'from-image' }).catch(() => null);
  if (!picture) return (await isHeic(file)) ? 'photoHeic' : 'photoUnreadable';
  const { width, height } = picture;
  try {
    const scale = Math.min(1, longestSide / Math.max(width, height));
    if (scale === 1 && file.size <= maxBytes && accepted.includes(file.type)) {
      return { blob: file, width, height, from: null };
    }
    const to = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
    const blob = await draw(picture, to);
    return blob ? { blob, ...to, from: { width, height } } : 'photoUnreadable';
  } finally {
    picture.close();
  }
}

/** What iPhones store: only Apple's own browser reads it. By its first bytes, since few systems know its type. */
async function isHeic(file: Blob): Promise<boolean> {
  const head = new Uint8Array(
    await file
      .slice(4, 12)
      .arrayBuffer()
      .catch(() => new ArrayBuffer(0)),
  );
  return /^ftyp(?:he[iv]|mif1|msf1)/.test(String.fromCharCode(...head));
}

async function draw(picture: ImageBitmap, { width, height }: { width: number; height: number }): Promise<Blob | null> {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return null;
  // A JPEG has no transparency: what is see-through would be black.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, width, height);
  return await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
}
