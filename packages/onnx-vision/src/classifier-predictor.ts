// The process of an image classifier, which `openModelFile` starts: `classifier-predictor.ts <ClassifierJob as JSON>`.
import { readFileSync } from 'node:fs';
import { RefusedTask, serveEngine } from '@bunri/engines/serve-engine';
import { blankPicture, NoPicture, readPixels } from '@bunri/local-vision/pixels';
import type { Description } from './description.ts';
import { withoutMap } from './onnx-file.ts';
import { loadOnnxRuntime, sessionOptions, type OnnxRuntime, type OnnxSession } from './onnxruntime.ts';
import { rank, toProbabilities, type LabelEstimate } from './probabilities.ts';
import { toInput } from './to-input.ts';

export interface ClassifierJob {
  readonly path: string;
  readonly description: Description;
  readonly input: string;
  readonly output: string;
  /** Whether the output is one of scikit-learn's maps. */
  readonly isMap: boolean;
}

interface Ready {
  readonly ort: OnnxRuntime;
  readonly session: OnnxSession;
  readonly output: string;
}

const job = JSON.parse(process.argv[2] ?? '') as ClassifierJob;
const { width, height, layout, resize } = job.description.input;
const frame = { NCHW: [3, height, width], NHWC: [height, width, 3], flat: [3 * height * width] }[layout];
let ready: Ready | undefined;

serveEngine<Uint8Array, LabelEstimate>({
  load: async () => {
    ready = await open(loadOnnxRuntime());
    // The first picture takes the memory that all take.
    await look([await readInput(await blankPicture())], ready);
    return { memoryBytes: process.memoryUsage.rss() };
  },
  // No more at once than the model takes: the plan says so to the parent.
  predict: async (photos) => {
    if (!ready) throw new Error('a photo came before the model was loaded');
    const inputs: Float32Array[] = [];
    for (const photo of photos) inputs.push(await readInput(photo));
    return (await look(inputs, ready)).map(estimate);
  },
  unload: async () => await ready?.session.release(),
});

async function open(ort: OnnxRuntime): Promise<Ready> {
  // A model that is loaded from its path may have its weights in a file beside it; those with maps are small.
  const changed = job.isMap ? withoutMap(readFileSync(job.path), job.output) : undefined;
  const session = await ort.InferenceSession.create(changed?.bytes ?? job.path, sessionOptions);
  return { ort, session, output: changed?.output ?? job.output };
}

async function look(inputs: readonly Float32Array[], { ort, session, output }: Ready): Promise<Float32Array[]> {
  const all = new Float32Array(inputs.reduce((sum, { length }) => sum + length, 0));
  for (const [index, input] of inputs.entries()) all.set(input, index * input.length);
  const tensor = new ort.Tensor('float32', all, [inputs.length, ...frame]);
  // The only one that is asked for: some versions of the runtime give it the name of the model's first output.
  const [said] = Object.values(await session.run({ [job.input]: tensor }, [output]));
  const values = said?.data;
  const classes = job.description.classes.length;
  if (!(values instanceof Float32Array) || values.length !== inputs.length * classes) {
    throw new Error(`the model did not give ${inputs.length} × ${classes} numbers`);
  }
  return inputs.map((_, index) => values.subarray(index * classes, (index + 1) * classes));
}

async function readInput(photo: Uint8Array): Promise<Float32Array> {
  try {
    const pixels = await readPixels(photo, width, height, resize === 'crop' ? 'cover' : 'fill');
    return toInput(pixels, job.description.input);
  } catch (error) {
    if (!(error instanceof NoPicture)) throw error;
    throw new RefusedTask('image_undecodable', 'The photo cannot be decoded. Send another one.', { cause: error });
  }
}

function estimate(values: Float32Array): LabelEstimate {
  const { labels, classes, temperature, output } = job.description;
  return rank(toProbabilities(values, output.values, temperature), classes, {
    labels,
    calibrated: temperature !== undefined,
  });
}
