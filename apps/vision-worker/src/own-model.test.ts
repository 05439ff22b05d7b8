import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { colourClassifier, description, writeClassifier } from '@bunri/onnx-vision/model-fixture';
import { createLogger, createMetrics } from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import { localVisionLink } from './local.ts';
import { answerFrom, openVisionModel, type ItemEstimate } from './own-model.ts';

const seen: ItemEstimate = {
  items: [
    { item_id: 'glass-bottle', probability: 0.5 },
    { item_id: 'sauce-jar', probability: 0.3 },
    { item_id: 'drinking-glass', probability: 0.1 },
    { item_id: 'milk-carton', probability: 0.01 },
  ],
};

test('without a word for the thing the likeliest item is the answer, and what else is likely is shown', () => {
  expect(answerFrom(seen, '이거 어떻게 버려요?', 'ko')).toMatchObject({
    item_id: 'glass-bottle',
    subcategory: '유리병',
    confidence: 0.5,
    candidates: [
      { item_id: 'sauce-jar', confidence: 0.3 },
      { item_id: 'drinking-glass', confidence: 0.1 },
    ],
    condition: { rinsed: 'unknown' },
  });
  const [first] = seen.items;
  const sure = { items: first ? [{ ...first, probability: 0.9 }] : [] };
  expect(answerFrom(sure, '?', 'en')).toMatchObject({ confidence: 0.9, candidates: [] });
});

test('the question names the thing, and its confidence is what the photo gives it', () => {
  const { item_id, confidence, candidates } = answerFrom(seen, '우유팩 버리는 법', 'ko');
  expect([item_id, confidence, candidates[0]?.item_id]).toEqual(['milk-carton', 0.01, 'glass-bottle']);
});

test('materials are ranked as those of the model that ships with bunri', () => {
  const materials = [{ material: 'glass', probability: 0.9 }];
  const { item_id, subcategory } = answerFrom({ materials, familiarity: 1 }, '?', 'ko');
  expect([item_id, subcategory]).toEqual([null, '유리병']);
});

const log = createLogger({ app: 'test', level: 'error', silent: true });
const metrics = createMetrics({ app: 'test', processMetrics: false });

test("a classifier of one's own answers as a part of the chain, under its own name and identity", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bunri-own-'));
  const path = writeClassifier(folder, colourClassifier(), description);
  const { engine, identity } = openVisionModel({ path, metrics, log });
  try {
    const link = localVisionLink(engine, identity);
    const task = { image: await drawSamplePhoto(), question: '?', locale: 'ko' } as const;
    const [said] = await link.engine.predict([task], { signal: new AbortController().signal });
    expect(said).toMatchObject({
      engine: { provider: 'local', model: 'colours@1' },
      value: { item_id: null, waste_category: 'recyclable' },
    });
    expect(link.identity).toContain('colours');
  } finally {
    await engine.unload();
    rmSync(folder, { recursive: true });
  }
});

test('a model that is not there is told at the start', () => {
  expect(() => openVisionModel({ path: '/nowhere/x.onnx', metrics, log })).toThrow(/LOCAL_MODEL_PATH.*x\.onnx/);
});
