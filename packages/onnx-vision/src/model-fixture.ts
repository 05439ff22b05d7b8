// Models that tell colours, for tests: a channel's mean is what each class goes by.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeModel, type Dims, type Graph } from './onnx-fixture.ts';

/** In pixels. */
export const side = 8;
const flat = 3 * side * side;

/** Red is glass, green is metal, blue is none of what is known. */
export const description = {
  format: 1,
  name: 'colours',
  version: '1',
  input: { width: side, height: side, layout: 'NCHW' },
  output: { values: 'logits' },
  temperature: 1,
  labels: 'materials',
  classes: ['glass', 'metal', null],
} as const;

/** As PyTorch and Transformers export a classifier: logits of channels first. `batch` is a number where it is fixed. */
export function colourClassifier(batch: number | string = 'batch', layout: 'NCHW' | 'NHWC' = 'NCHW'): Uint8Array {
  const isFirst = layout === 'NCHW';
  const frame: Dims = isFirst ? [batch, 3, side, side] : [batch, side, side, 3];
  const axes = isFirst ? [2, 3] : [1, 2];
  return writeModel({
    nodes: [
      { does: 'ReduceMean', takes: ['pixel_values'], gives: ['means'], with: { axes, keepdims: 0 } },
      { does: 'MatMul', takes: ['means', 'weights'], gives: ['logits'] },
    ],
    weights: { weights: diagonal(10) },
    inputs: { pixel_values: frame },
    outputs: { logits: [batch, 3] },
  });
}

/** As skl2onnx exports a logistic regression: labels, and probabilities as a tensor or as tables. */
export function sklearnClassifier(gives: 'tensor' | 'map'): Uint8Array {
  const coefficients = [0, 1, 2].flatMap((own) => Array.from({ length: flat }, (_, at) => (at % 3 === own ? 0.15 : 0)));
  const isMap = gives === 'map';
  const nodes: Graph['nodes'] = [
    {
      does: 'LinearClassifier',
      domain: 'ai.onnx.ml',
      takes: ['float_input'],
      gives: ['output_label', isMap ? 'probability_tensor' : 'probabilities'],
      with: {
        coefficients: { floats: coefficients },
        intercepts: { floats: [0, 0, 0] },
        classlabels_ints: [0, 1, 2],
        multi_class: 0,
        post_transform: 'SOFTMAX',
      },
    },
    {
      does: 'ZipMap',
      domain: 'ai.onnx.ml',
      takes: ['probability_tensor'],
      gives: ['probabilities'],
      with: { classlabels_int64s: [0, 1, 2] },
    },
  ];
  return writeModel({
    nodes: isMap ? nodes : nodes.slice(0, 1),
    inputs: { float_input: ['batch', flat] },
    outputs: { output_label: { integers: ['batch'] }, probabilities: isMap ? 'map' : ['batch', 3] },
  });
}

/** Wants 4 TiB as soon as it is loaded. */
export function hugeClassifier(): Uint8Array {
  return writeModel({
    nodes: [
      { does: 'ConstantOfShape', takes: ['size'], gives: ['zeros'] },
      { does: 'ReduceMean', takes: ['zeros'], gives: ['zero'], with: { keepdims: 0 } },
      { does: 'ReduceMean', takes: ['pixel_values'], gives: ['means'], with: { axes: [2, 3], keepdims: 0 } },
      { does: 'Add', takes: ['means', 'zero'], gives: ['logits'] },
    ],
    weights: { size: { integers: [2 ** 40] } },
    inputs: { pixel_values: ['batch', 3, side, side] },
    outputs: { logits: ['batch', 3] },
  });
}

/** Writes a model with its description, where there is one. @returns the path of the model. */
export function writeClassifier(folder: string, model: Uint8Array, described?: unknown, name = 'colours'): string {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, model);
  if (described !== undefined) writeFileSync(join(folder, `${name}.json`), JSON.stringify(described));
  return path;
}

const words = ['[PAD]', '[UNK]', 'a', 'photo', 'of', '.', 'red', 'green', 'blue', 'thing'];

/**
 * A model whose text half knows three colours by name, and whose photo half sees which one there is most of. Its folder is
 * as Transformers' exports are; that of SigLIP says that its files are in 8 bits.
 */
export function writeColourTowers(folder: string, family: 'clip' | 'siglip', settings?: unknown): string {
  const isClip = family === 'clip';
  const ending = isClip ? '' : '_quantized';
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  const json = (name: string, content: unknown) => writeFileSync(join(folder, name), JSON.stringify(content));
  json('config.json', { model_type: family });
  json('tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(words.map((word, index) => [word, index])),
    },
  });
  json('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizer',
    model_max_length: 16,
    pad_token: '[PAD]',
    unk_token: '[UNK]',
  });
  json('preprocessor_config.json', {
    image_processor_type: isClip ? 'CLIPImageProcessor' : 'SiglipImageProcessor',
    do_resize: true,
    size: { width: side, height: side },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: false,
    resample: 2,
  });
  writeFileSync(join(folder, `onnx/text_model${ending}.onnx`), textTower(isClip ? 'text_embeds' : 'pooler_output'));
  writeFileSync(join(folder, `onnx/vision_model${ending}.onnx`), photoTower(isClip ? 'image_embeds' : 'pooler_output'));
  if (settings !== undefined) json('bunri.json', settings);
  return folder;
}

function textTower(output: string): Uint8Array {
  const colours = ['red', 'green', 'blue'];
  return writeModel({
    nodes: [
      { does: 'Gather', takes: ['meanings', 'input_ids'], gives: ['words'] },
      { does: 'ReduceMean', takes: ['words'], gives: [output], with: { axes: [1], keepdims: 0 } },
    ],
    weights: { meanings: words.map((word) => colours.map((colour) => (colour === word ? 1 : 0))) },
    inputs: { input_ids: { integers: ['batch', 'length'] } },
    outputs: { [output]: ['batch', 3] },
  });
}

function photoTower(output: string): Uint8Array {
  return writeModel({
    nodes: [{ does: 'ReduceMean', takes: ['pixel_values'], gives: [output], with: { axes: [2, 3], keepdims: 0 } }],
    inputs: { pixel_values: ['batch', 3, 'height', 'width'] },
    outputs: { [output]: ['batch', 3] },
  });
}

function diagonal(value: number): number[][] {
  return [0, 1, 2].map((row) => [0, 1, 2].map((column) => (row === column ? value : 0)));
}
