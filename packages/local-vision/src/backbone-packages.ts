/** Where each network comes from: the package with its version, for the head's metadata, and a file of it that is found by name. */
export const backbonePackages = {
  'open-images-mobilenet': {
    package: '@mediapipe/objectron@0.4.1675468480',
    entry: '@mediapipe/objectron/package.json',
  },
  'nsfw-mobilenet-mid': { package: 'nsfwjs@4.4.0', entry: 'nsfwjs/models/mobilenet_v2_mid' },
} as const;

export type BackboneId = keyof typeof backbonePackages;

/** What else the model's process loads. */
export const libraryEntries = ['@tensorflow/tfjs-backend-wasm/package.json', 'sharp'] as const;

/** @throws Error for a name that no network of this build has. */
export function asBackboneId(id: string): BackboneId {
  const known = Object.keys(backbonePackages).find((each): each is BackboneId => each === id);
  if (known === undefined) throw new Error(`the head was trained on the network ${id}, which is not known here`);
  return known;
}
