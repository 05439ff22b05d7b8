// The process of the local model, which `materialsEngine` starts: `predictor.ts [head file]`.
import { RefusedTask, serveEngine } from '@bunri/engines/serve-engine';
import { asBackboneId } from './backbone-packages.ts';
import { loadFeatureExtractor, type FeatureExtractor } from './features.ts';
import { estimate, readHead, type Head, type MaterialEstimate } from './head.ts';
import { shippedHeadPath } from './head-file.ts';
import { NoPicture, blankPicture } from './pixels.ts';

let ready: { readonly head: Head; readonly extractor: FeatureExtractor } | undefined;

serveEngine<Uint8Array, MaterialEstimate>({
  load: async () => {
    const head = readHead(process.argv[2] ?? shippedHeadPath());
    const { backbones } = head.file;
    const extractor = await loadFeatureExtractor(
      backbones.map(({ id, checksum }) => ({ id: asBackboneId(id), checksum })),
    );
    ready = { head, extractor };
    // The first picture takes the memory that all take, and compiles what all run.
    await look(await blankPicture(), ready);
    return { memoryBytes: process.memoryUsage.rss() };
  },
  predict: async (photos) => {
    if (!ready) throw new Error('a photo came before the model was loaded');
    const estimates: MaterialEstimate[] = [];
    for (const photo of photos) estimates.push(await look(photo, ready));
    return estimates;
  },
  unload: async () => {
    await Promise.resolve(ready?.extractor.dispose());
    ready = undefined;
  },
});

async function look(photo: Uint8Array, { head, extractor }: NonNullable<typeof ready>): Promise<MaterialEstimate> {
  try {
    return estimate(head, await extractor.extract(photo));
  } catch (error) {
    if (!(error instanceof NoPicture)) throw error;
    throw new RefusedTask('image_undecodable', 'The photo cannot be decoded. Send another one.', { cause: error });
  }
}
