import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { backbonePackages, type BackboneId } from './backbone-packages.ts';
import { readPackedFile } from './packed-assets.ts';
import { readModelFile } from './tflite-file.ts';
import { buildGraph } from './tflite-graph.ts';

const require = createRequire(import.meta.url);

/** A frozen network that turns pictures into feature vectors. */
export interface Backbone {
  readonly id: BackboneId;
  /** SHA-256 of the weights, so that a head is only used with what it was trained on. */
  readonly checksum: string;
  /** Side of the square input in pixels. */
  readonly side: number;
  /** Of the weights, in bytes. */
  readonly bytes: number;
  /** A picture as RGB bytes, `side` × `side` × 3; gives a vector of unit length. */
  extract(pixels: Uint8Array): Promise<Float32Array>;
  dispose(): void;
}

/** Starts tfjs on WebAssembly, one thread: the pod has half a core. To be awaited before a backbone is loaded. */
export async function startBackend(): Promise<void> {
  setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'))}/dist/`);
  setThreadsCount(1);
  if (!(await tf.setBackend('wasm'))) throw new Error('tfjs could not start its WebAssembly backend');
  await tf.ready();
}

const loaders = {
  'open-images-mobilenet': loadOpenImagesMobilenet,
  'nsfw-mobilenet-mid': loadNsfwMobilenetMid,
} as const satisfies Record<BackboneId, () => Promise<Backbone>>;

/** Loads one, from the package that it ships in. */
export async function loadBackbone(id: BackboneId): Promise<Backbone> {
  return await loaders[id]();
}

/** A MobileNetV2 of a detector trained on Open Images V4; its last convolution, averaged over the picture. */
async function loadOpenImagesMobilenet(): Promise<Backbone> {
  const folder = dirname(require.resolve(backbonePackages['open-images-mobilenet'].entry));
  const asset = (ending: string) => join(folder, `objectron_solution_packed_assets${ending}`);
  const name = 'object_detection_ssd_mobilenetv2_oidv4_fp16.tflite';
  const bytes = readPackedFile(asset('_loader.js'), asset('.data'), name);
  const graph = buildGraph(readModelFile(bytes), 'FeatureExtractor/MobilenetV2/Conv_1/Relu6');
  const { side } = graph;
  return await Promise.resolve({
    id: 'open-images-mobilenet' as const,
    checksum: sha256(bytes),
    side,
    bytes: graph.bytes,
    extract: async (pixels: Uint8Array) =>
      await unitVector(() => tf.mean(graph.run(picture(pixels, side, 1 / 127.5, -1)), [1, 2])),
    dispose: () => graph.dispose(),
  });
}

/** A MobileNetV2 trained to tell indecent pictures; its averaged features say much about materials all the same. */
async function loadNsfwMobilenetMid(): Promise<Backbone> {
  // Not by the package's own module, which keeps 11 MB of text for ever, and in CommonJS takes a text apart by its letters.
  const folder = join(
    dirname(require.resolve(backbonePackages['nsfw-mobilenet-mid'].entry)),
    '../../models/mobilenet_v2_mid',
  );
  const { modelTopology, format, weightsManifest } = readOnce(join(folder, 'model.min.js')) as GraphModelJson;
  const shards = weightsManifest.flatMap(({ paths }) => paths.map((path) => join(folder, `${path}.min.js`)));
  const weights = Buffer.concat(shards.map((path) => Buffer.from(String(readOnce(path)), 'base64')));
  const weightSpecs = weightsManifest.flatMap(({ weights: specs }) => specs);
  const model = await loadGraphModel({
    load: async () =>
      await Promise.resolve({ modelTopology, format, weightSpecs, weightData: Uint8Array.from(weights).buffer }),
  });
  const output = modelTopology.node.find(({ name }) => name.endsWith('/feature_vector/SpatialSqueeze'))?.name;
  if (output === undefined) throw new Error('the graph of nsfwjs has no feature vector');
  const side = 224;
  return {
    id: 'nsfw-mobilenet-mid',
    checksum: sha256(weights),
    side,
    bytes: weights.length,
    extract: async (pixels) =>
      await unitVector(() => model.execute(picture(pixels, side, 1 / 255, 0), output) as tf.Tensor),
    dispose: () => model.dispose(),
  };
}

interface GraphModelJson {
  readonly modelTopology: { readonly node: readonly { readonly name: string }[] };
  readonly format: string;
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: tf.io.WeightsManifestEntry[];
  }[];
}

/** What a CommonJS module exports, without the module being kept. */
function readOnce(path: string): unknown {
  try {
    return require(path) as unknown;
  } finally {
    delete require.cache[path];
  }
}

function picture(pixels: Uint8Array, side: number, scale: number, shift: number): tf.Tensor4D {
  const values = new Float32Array(pixels.length);
  // A loop: `Float32Array.from` with a function takes as long as half the network.
  for (let index = 0; index < values.length; index += 1) values[index] = (pixels[index] ?? 0) * scale + shift;
  return tf.tensor4d(values, [1, side, side, 3]);
}

/** Runs the network, and scales what it gives to unit length, so that no picture weighs more than another. */
async function unitVector(run: () => tf.Tensor): Promise<Float32Array> {
  const output = tf.tidy(run);
  try {
    const vector = (await output.data()) as Float32Array;
    const length = Math.hypot(...vector) || 1;
    return vector.map((value) => value / length);
  } finally {
    output.dispose();
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
