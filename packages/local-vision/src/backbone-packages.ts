/**
 * Where each network comes from: the package with its version, for the head's metadata; a file of it that is found by name;
 * and, from there, the files that it is read from.
 */
export const backbonePackages = {
  'open-images-mobilenet': {
    package: '@mediapipe/objectron@0.4.1675468480',
    entry: '@mediapipe/objectron/package.json',
    files: ['./objectron_solution_packed_assets_loader.js', './objectron_solution_packed_assets.data'],
  },
  'nsfw-mobilenet-mid': {
    package: 'nsfwjs@4.4.0',
    entry: 'nsfwjs/models/mobilenet_v2_mid',
    files: ['model', 'group1-shard1of2', 'group1-shard2of2'].map(
      (name) => `../../models/mobilenet_v2_mid/${name}.min.js`,
    ),
  },
} as const;

export type BackboneId = keyof typeof backbonePackages;

/** What else the model's process loads. */
export const libraryEntries = [
  {
    entry: '@tensorflow/tfjs-backend-wasm/package.json',
    files: ['./dist/tfjs-backend-wasm.wasm', './dist/tfjs-backend-wasm-simd.wasm'],
  },
  { entry: 'sharp', files: [] },
] as const;

/** @throws Error for a name that no network of this build has. */
export function asBackboneId(id: string): BackboneId {
  const known = Object.keys(backbonePackages).find((each): each is BackboneId => each === id);
  if (known === undefined) throw new Error(`the head was trained on the network ${id}, which is not known here`);
  return known;
}
