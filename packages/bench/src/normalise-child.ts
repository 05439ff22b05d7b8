// A process of the bench that normalises pictures, by bunri's own path or by sharp alone, as its parent says over IPC.
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { confineDecoders, createNormaliser } from '@bunri/preprocess-worker/normalise';
import { sha256 } from '@bunri/runtime';
import { cpuSeconds } from './measure.ts';
import type { NormaliseAnswer, NormaliseAsk, NormaliseSide, NormaliseTimes } from './normalise-process.ts';

const normalise = createNormaliser({ decodeMemoryBytes: 256 * 2 ** 20 });
const { signal } = new AbortController();

const work: Record<NormaliseSide, (file: Buffer) => Promise<unknown>> = {
  // As the handler does it: the file's hash is the cache's key, the picture's hash the object's.
  bunri: async (file) => {
    const fileSha256 = sha256(file);
    const { bytes } = await normalise(file, signal);
    return [fileSha256, sha256(bytes)];
  },
  bare: async (file) =>
    await sharp(file)
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .resize(1024, 1024, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: 85, optimiseCoding: false })
      .toBuffer(),
};

// No operation cache, one thread a picture: the same for both.
confineDecoders();

async function answer({ sides, path, count }: NormaliseAsk): Promise<NormaliseAnswer> {
  const file = await readFile(path);
  const times: NormaliseTimes = {
    bare: { seconds: 0, cpuSeconds: 0 },
    bunri: { seconds: 0, cpuSeconds: 0 },
  };
  for (let n = 0; n < count; n += 1) {
    for (const side of n % 2 === 0 ? sides : sides.toReversed()) {
      const before = { cpu: cpuSeconds(), at: performance.now() };
      await work[side](file);
      times[side].seconds += (performance.now() - before.at) / 1000;
      times[side].cpuSeconds += cpuSeconds() - before.cpu;
    }
  }
  return { ok: true, times };
}

process.on('message', (message) => {
  answer(message as NormaliseAsk).then(
    (value) => process.send?.(value),
    (error: unknown) => process.send?.({ ok: false, message: String(error) } satisfies NormaliseAnswer),
  );
});
process.on('disconnect', () => process.exit(0));
