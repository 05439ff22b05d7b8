import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface LabelledPhoto {
  readonly path: string;
  readonly folder: string;
  readonly material: string;
}

/** Folders whose photos are counted with another one's: what they are made of is the same to the bin. */
const sameMaterial: Readonly<Record<string, string>> = { 'plastic-other': 'plastic' };
const photoName = /\.(jpe?g|png|webp)$/i;

/** A folder that holds no photos as they are wanted; its message says what to do. */
export class PhotoFolderError extends Error {
  override readonly name = 'PhotoFolderError';
}

/**
 * The photos of a folder of class folders, in the order of their names.
 *
 * @throws PhotoFolderError for a folder that is not there, or without any.
 */
export function labelledPhotos(root: string): LabelledPhoto[] {
  if (!existsSync(root)) throw new PhotoFolderError(`${root} is not there; give a folder of class folders`);
  const photos = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted()
    .flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((name) => photoName.test(name))
        .toSorted()
        .map((name) => ({ path: join(root, folder, name), folder, material: sameMaterial[folder] ?? folder })),
    );
  if (photos.length === 0)
    throw new PhotoFolderError(`${root} has no folders with photos; each is named by its material`);
  return photos;
}

/** Gives each photo its features. Files that are no picture are told and left out. */
export async function withFeatures(
  photos: readonly LabelledPhoto[],
  extract: (file: Uint8Array) => Promise<Float32Array>,
  say: (line: string) => void,
): Promise<(LabelledPhoto & { features: Float32Array })[]> {
  const seen: (LabelledPhoto & { features: Float32Array })[] = [];
  for (const [index, photo] of photos.entries()) {
    try {
      seen.push({ ...photo, features: await extract(readFileSync(photo.path)) });
    } catch (error) {
      say(`${photo.path} is left out: ${error instanceof Error ? error.message : String(error)}`);
    }
    if ((index + 1) % 100 === 0) say(`${index + 1} of ${photos.length} photos`);
  }
  return seen;
}
