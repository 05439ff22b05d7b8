import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';
import sharp from 'sharp';
import { createLocalModels } from '@bunri/engines';
import { createLogger, createMetrics } from '@bunri/runtime';
import { openModelFile, type ModelFile, type ModelFileOptions } from './engine.ts';
import {
  colourClassifier,
  description,
  hugeClassifier,
  sklearnClassifier,
  side,
  writeClassifier,
  writeColourTowers,
} from './model-fixture.ts';
import type { LabelEstimate } from './probabilities.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const metrics = createMetrics({ app: 'test', processMetrics: false });
const { signal } = new AbortController();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bunri-model-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const known = {
  materials: ['glass', 'metal'],
  items: ['red', 'green', 'blue'].map((colour) => ({ id: `${colour}-thing`, name: `${colour} thing` })),
};

function open(path: string, more: Partial<ModelFileOptions> = {}): ModelFile {
  const opened = openModelFile({ path, ...known, metrics, log, ...more });
  closers.push(async () => await opened.engine.unload());
  return opened;
}

async function photo(background: string): Promise<Uint8Array> {
  return await sharp({ create: { width: 30, height: 20, channels: 3, background } })
    .png()
    .toBuffer();
}

/** What a model says of a red, a green and a blue photo that come together. */
async function see({ engine }: ModelFile): Promise<LabelEstimate[]> {
  const photos = await Promise.all(['#f00', '#0f0', '#00f'].map(photo));
  return (await engine.predict(photos, { signal })).map(({ value }) => value);
}

const best = ({ ranked: [first] }: LabelEstimate) => first?.label;

test.each([
  ['of a free batch size, which takes them together', 'batch', 3],
  ['of the batch size 1, one by one', 1, 1],
])(
  'photos are classified by a model %s, in its own process, and one that is none fails alone',
  async (...given) => {
    const [, batch, together] = given;
    const folder = newFolder();
    const own = createMetrics({ app: 'test', processMetrics: false });
    const model = open(writeClassifier(folder, colourClassifier(batch), description), { metrics: own });
    const [red, green, blue] = await see(model);
    expect(red?.ranked[0]).toEqual({
      label: 'glass',
      probability: expect.closeTo(Math.exp(10) / (Math.exp(10) + 2), 4),
    });
    expect(green && best(green)).toBe('metal');
    // What is none of the labels leaves nothing for them.
    expect(blue?.ranked[0]?.probability).toBeLessThan(0.01);
    expect(red?.calibrated).toBe(true);
    const { values } = await own.localBatchSize.get();
    expect(values.find(({ metricName }) => metricName?.endsWith('_sum'))?.value).toBe(3);
    expect(values.find(({ metricName }) => metricName?.endsWith('_count'))?.value).toBe(3 / together);
    expect(model.engine.memoryBytes()).toBeGreaterThan(2 ** 20);

    const ends = await Promise.allSettled(
      [await photo('#f00'), Buffer.from('no photo')].map(
        async (each) => await model.engine.predict([each], { signal }),
      ),
    );
    expect(ends).toMatchObject([
      { value: [{ engine: { provider: 'local', model: 'colours@1' } }] },
      { reason: { name: 'PermanentError', code: 'image_undecodable' } },
    ]);
  },
  60_000,
);

test("channels may come last, and scikit-learn's probabilities as a tensor or as tables", async () => {
  const last = { ...description, input: { ...description.input, layout: 'NHWC' } };
  const sklearn = {
    ...description,
    input: { ...description.input, layout: 'flat' },
    output: { name: 'probabilities', values: 'probabilities' },
  };
  const folder = newFolder();
  const models = [
    open(writeClassifier(folder, colourClassifier('batch', 'NHWC'), last, 'last')),
    open(writeClassifier(folder, sklearnClassifier('tensor'), sklearn, 'tensor')),
    open(writeClassifier(folder, sklearnClassifier('map'), sklearn, 'map')),
  ];
  const [channels, tensor, map] = await Promise.all(models.map(see));
  expect(channels?.slice(0, 2).map(best)).toEqual(['glass', 'metal']);
  expect(tensor?.slice(0, 2).map(best)).toEqual(['glass', 'metal']);
  expect(tensor?.[0]?.ranked[0]?.probability).toBeGreaterThan(0.9);
  expect(map).toEqual(tensor);
});

test('a model that finds no memory says so, and one that is larger than the budget is never started', async () => {
  const huge = open(writeClassifier(newFolder(), hugeClassifier(), description));
  await expect(huge.engine.load()).rejects.toMatchObject({ name: 'TransientError', code: 'engine_out_of_memory' });

  const { engine, expectedBytes } = open(writeClassifier(newFolder(), colourClassifier(), description));
  const models = createLocalModels<Uint8Array, LabelEstimate>({
    budgetBytes: expectedBytes - 1,
    idleMs: 1000,
    metrics,
    log,
  });
  models.register(engine, expectedBytes);
  await expect(models.use('colours').load()).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'engine_too_large',
  });
  expect(engine.memoryBytes()).toBe(0);
});

test('without a temperature no confidence is above 0.5, and the name of the model says why', async () => {
  const { temperature: _, ...uncalibrated } = description;
  const { engine } = open(writeClassifier(newFolder(), colourClassifier(), uncalibrated));
  const [said] = await engine.predict([await photo('#f00')], { signal });
  expect(said).toMatchObject({
    value: { calibrated: false, ranked: [{ label: 'glass', probability: 0.5 }, { label: 'metal' }] },
    engine: { model: 'colours@1 (uncalibrated)' },
  });
});

test.each([
  ['clip', 1],
  // Each text for itself, sigmoid(10 × 1 − 5) and twice sigmoid(10 × 0 − 5); together they may be no more than 1.
  ['siglip', 1 / (1 + Math.exp(-5)) / (1 / (1 + Math.exp(-5)) + 2 / (1 + Math.exp(5)))],
] as const)(
  "a %s model finds the catalogue's item whose name fits the photo, without any training",
  async (...given) => {
    const [family, probability] = given;
    const settings = {
      name: 'towers',
      temperature: 1,
      logit_scale: 10,
      ...(family === 'siglip' && { logit_bias: -5 }),
    };
    const model = open(writeColourTowers(newFolder(), family, settings));
    const said = await see(model);
    expect(said.map(best)).toEqual(known.items.map(({ id }) => id));
    expect(said[0]).toMatchObject({ labels: 'items', calibrated: true });
    expect(said[0]?.ranked[0]?.probability).toBeCloseTo(probability, 3);
  },
  60_000,
);

test('another model, description or catalogue is another identity', () => {
  const folder = newFolder();
  const identities = [
    open(writeClassifier(folder, colourClassifier(), description)).identity,
    open(writeClassifier(folder, colourClassifier(), { ...description, temperature: 2 })).identity,
    open(writeClassifier(folder, colourClassifier(1), description)).identity,
  ];
  const towers = writeColourTowers(newFolder(), 'clip');
  identities.push(open(towers).identity, open(towers, { items: known.items.slice(1) }).identity);
  expect(new Set(identities).size).toBe(5);
  expect(open(towers).identity).toBe(identities[3]);
});

test('what does not fit the model is told at the start, all at once', () => {
  const folder = newFolder();
  const wrong = { ...description, classes: ['glass', 'jelly'], input: { ...description.input, width: side * 2 } };
  const fails = () => open(writeClassifier(folder, colourClassifier(), wrong));
  expect(fails).toThrow(/jelly/);
  expect(fails).toThrow('[any, 3, 8, 8], and the description says [1, 3, 8, 16]');
  expect(fails).toThrow('[any, 3], and the description says [1, 2]');
  const unreadable = { ...description, format: 2, labels: 'things' };
  expect(() => open(writeClassifier(folder, colourClassifier(), unreadable))).toThrow(/format(.|\n)*labels/);
  expect(() => open(writeClassifier(folder, Buffer.from('no model'), description))).toThrow(
    /colours\.onnx: it is no ONNX/,
  );
  const mute = { ...description, classes: [null, null, null] };
  expect(() => open(writeClassifier(folder, colourClassifier(), mute))).toThrow(/say nothing/);
  const long = { ...description, labels: 'items', classes: ['x'.repeat(2 ** 17), null, null] };
  const items = [{ id: long.classes[0] ?? '', name: 'x' }];
  expect(() => open(writeClassifier(folder, colourClassifier(), long), { items })).toThrow(/too long/);
  expect(() => open(writeClassifier(folder, colourClassifier(), undefined, 'alone'))).toThrow(/alone\.json/);
  expect(() => open(join(folder, 'nowhere.onnx'))).toThrow(/nowhere\.onnx cannot be found/);
  expect(() => open(newFolder())).toThrow(/config\.json(.|\n)*vision_model\.onnx/);
});

test('where the runtime is not installed, the error names the package', () => {
  const path = writeClassifier(newFolder(), colourClassifier(), description);
  const packagesFrom = pathToFileURL(join(newFolder(), 'x.js'));
  expect(() => open(path, { packagesFrom })).toThrow('npm install onnxruntime-node');
  expect(() => open('hub:some/model', { packagesFrom })).toThrow('npm install @huggingface/transformers');
});

test('a model of the hub is asked for by nobody before its first photo', () => {
  const { engine, identity } = open('hub:some/model');
  expect([engine.memoryBytes(), identity.includes('some-model')]).toEqual([0, true]);
  for (const id of ['../../etc', '../etc', 'etc/..']) expect(() => open(`hub:${id}`)).toThrow(/<organisation>\/<name>/);
});
