import type { PreTrainedModel, Tensor } from '@huggingface/transformers';
import type { Pixels } from '@bunri/local-vision/pixels';
import type { ZeroShotDtype } from './description.ts';
import { families } from './families.ts';
import { sessionOptions } from './onnxruntime.ts';

/** A model that was trained to bring photos and their captions together, with the texts that it compares photos with. */
export interface Towers {
  /** One vector of unit length a text. */
  readonly texts: readonly Float32Array[];
  /** One vector of unit length. */
  readPhoto(photo: Pixels): Promise<Float32Array>;
  close(): Promise<void>;
  /** Whether the texts' probabilities share 1 (CLIP's softmax), or each text is judged for itself (SigLIP's sigmoid). */
  readonly isExclusive: boolean;
  readonly scale: number;
  readonly bias: number;
}

/**
 * Trained numbers that exports leave out: of OpenAI's CLIP models, where training holds the scale at 100 (Radford et al.
 * 2021), and of google/siglip-base-patch16-224 (Zhai et al. 2023). Others differ: the description gives theirs.
 */
const trained = { clip: { scale: 100, bias: 0 }, siglip: { scale: 117.33, bias: -12.93 } } as const;

const textBatch = 32;

/**
 * Loads a model by its id for transformers.js, whose `env` says where that is looked for, and reads the texts. Nobody asks
 * for another one, so that the half that reads them is gone before the other is loaded: they never share the memory.
 *
 * @throws Error for a model of another family.
 */
export async function openTowers(id: string, dtype: ZeroShotDtype, lines: readonly string[]): Promise<Towers> {
  const lib = await import('@huggingface/transformers');
  const { model_type: type } = (await lib.AutoConfig.from_pretrained(id)) as { model_type?: string };
  const family = families.find((each) => each === type);
  if (!family) throw new Error(`${id} is a model of the kind ${type}; only ${families.join(' and ')} can be used`);
  const isClip = family === 'clip';
  const options = { dtype, device: 'cpu', session_options: sessionOptions } as const;
  const tokenizer = await lib.AutoTokenizer.from_pretrained(id);
  const reader = await (isClip ? lib.CLIPTextModelWithProjection : lib.SiglipTextModel).from_pretrained(id, options);
  const texts: Float32Array[] = [];
  for (let at = 0; at < lines.length; at += textBatch) {
    // SigLIP was trained on texts of full length alone.
    const padding = isClip ? true : 'max_length';
    const tokens: unknown = tokenizer(lines.slice(at, at + textBatch), { padding, truncation: true });
    texts.push(...(await vectors(reader, tokens, isClip ? 'text_embeds' : 'pooler_output')));
  }
  await reader.dispose();
  const processor = await lib.AutoImageProcessor.from_pretrained(id);
  const photoModel = isClip ? lib.CLIPVisionModelWithProjection : lib.SiglipVisionModel;
  const photos = await photoModel.from_pretrained(id, options);
  return {
    texts,
    readPhoto: async ({ pixels, width, height }) => {
      const image = new lib.RawImage(Uint8ClampedArray.from(pixels), width, height, 3);
      const [vector] = await vectors(photos, await processor(image), isClip ? 'image_embeds' : 'pooler_output');
      if (!vector) throw new Error('the model gave no vector for a photo');
      return vector;
    },
    close: async () => void (await photos.dispose()),
    isExclusive: isClip,
    ...trained[family],
  };
}

async function vectors(model: PreTrainedModel, inputs: unknown, output: string): Promise<Float32Array[]> {
  const said = (await model(inputs)) as Readonly<Record<string, Tensor | undefined>>;
  const tensor = said[output];
  const values: unknown = tensor?.data;
  const width = tensor?.dims.at(-1);
  if (!(values instanceof Float32Array) || width === undefined) throw new Error(`the model gave no ${output}`);
  return Array.from({ length: values.length / width }, (_, row) => {
    const vector = values.slice(row * width, (row + 1) * width);
    const length = Math.hypot(...vector) || 1;
    return vector.map((value) => value / length);
  });
}
