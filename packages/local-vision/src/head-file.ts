import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The head that ships with the package; in a bundle it lies beside the code. */
export function shippedHeadPath(): string {
  const places = ['../head/materials.json', 'head/materials.json'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find(existsSync) ?? places[0] ?? '';
}
