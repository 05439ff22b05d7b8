import { expect, test } from '@jest/globals';
import { itemById, knownMaterials, streamOf, type Material } from '@bunri/knowledge';
import type { Classification } from '@bunri/queue-contracts';
import { mergeOpinions } from './merge-opinions.ts';

const condition = { cap: 'unknown', rinsed: 'no', contamination: 'unknown', label: 'unknown' } as const;

function of(item_id: string, confidence: number, provider = 'openai'): Classification {
  const item = itemById(item_id);
  if (!item) throw new Error(`no item is called ${item_id}`);
  const { wasteCategory: waste_category, subcategory, names } = item;
  const engine = { provider, model: `${provider}-1` };
  return { waste_category, subcategory, item_id, item_name: names.en, confidence, condition, engine };
}

/** The local model's word for a thing that nobody named: its material, and what such things usually are. */
function material(name: Material, confidence: number, usual: string[] = []): Classification {
  const candidates = usual.map((id, i) => ({
    item_id: id,
    item_name: itemById(id)?.names.en ?? '',
    confidence: confidence / 2 ** (i + 1),
  }));
  return {
    waste_category: name === 'food' ? 'food' : name === 'wood' ? 'general' : 'recyclable',
    subcategory: streamOf[name],
    item_id: null,
    item_name: `something of ${name}`,
    confidence,
    ...(candidates.length > 0 ? { candidates } : {}),
    condition,
    engine: { provider: 'local', model: 'materials@1' },
  };
}

const local = (id: string, confidence: number) => of(id, confidence, 'local');

test.each<[string, Classification, Classification, NonNullable<Classification['agreement']>, number]>([
  // 1 - (1 - 0.8)(1 - 0.45)
  ['the same item', of('glass-bottle', 0.8), local('glass-bottle', 0.9), 'item', 0.89],
  ['the same item, of which the API was not sure', of('glass-bottle', 0.5), local('glass-bottle', 0.9), 'item', 0.725],
  // 1 - (1 - 0.8)(1 - 0.225)
  ['its material', of('glass-bottle', 0.8), material('glass', 0.9), 'bin', 0.845],
  ['its material, which goes another way', of('drinking-glass', 0.8), material('glass', 0.9), 'bin', 0.845],
  ['one of its materials', of('paper-cup', 0.8), material('plastic', 0.5), 'bin', 0.825],
  ['its bin', of('cardboard-box', 0.8), local('office-paper', 0.9), 'bin', 0.845],
  // The same material does not tell a bottle from a drinking glass.
  ['its material, of which the API was not sure', of('glass-bottle', 0.55), material('glass', 0.9), 'bin', 0.59],
  // 0.9 (1 - 0.2) / (1 - 0.18)
  ['weakly another material', of('milk-carton', 0.9), material('glass', 0.4), 'none', 0.878],
  // 0.4 (1 - 0.45) / (1 - 0.18)
  ['another material', of('milk-carton', 0.4), material('glass', 0.9), 'none', 0.268],
  ['another material, against a sure word', of('milk-carton', 0.99), material('glass', 0.9), 'none', 0.59],
  ['another item', of('milk-carton', 0.99), local('glass-bottle', 0.9), 'none', 0.59],
  // It has seen none of these kinds.
  ['a battery to be metal', of('dry-battery', 0.8), material('metal', 0.99), 'none', 0.8],
  ['a clear bottle to be glass', of('clear-pet-bottle', 0.9), material('glass', 0.99), 'none', 0.9],
  ['a clear bottle to be plastic', of('clear-pet-bottle', 0.9), material('plastic', 0.5), 'none', 0.9],
  ['as named what it cannot know', of('scrap-metal', 0.9), local('dry-battery', 0.3), 'none', 0.9],
])('the local model takes the thing for %s', (_what, api, other, agreement, confidence) => {
  const merged = mergeOpinions(api, other);
  expect(merged).toMatchObject({ agreement, confidence });
  // What it is stays the word of the one that sees things.
  const { confidence: _own, candidates: _candidates, ...said } = api;
  expect(merged).toMatchObject(said);
});

test('both opinions are told as they were given', () => {
  const { opinions } = mergeOpinions(of('glass-bottle', 0.8), material('glass', 0.9));
  expect(opinions).toEqual([
    {
      engine: { provider: 'openai', model: 'openai-1' },
      item_id: 'glass-bottle',
      item_name: 'Glass bottle',
      waste_category: 'recyclable',
      confidence: 0.8,
    },
    {
      engine: { provider: 'local', model: 'materials@1' },
      item_id: null,
      item_name: 'something of glass',
      waste_category: 'recyclable',
      confidence: 0.9,
    },
  ]);
});

test('a contradiction adds what the local model takes the thing for, and keeps what the API thought of', () => {
  const api = {
    ...of('milk-carton', 0.7),
    candidates: ['paper-cup', 'cardboard-box', 'office-paper', 'drinking-glass'].map((item_id, i) => ({
      item_id,
      item_name: item_id,
      confidence: 0.2 - i / 100,
    })),
  };
  const { candidates = [] } = mergeOpinions(
    api,
    material('glass', 0.9, ['glass-bottle', 'drinking-glass', 'sauce-jar']),
  );
  const ids = candidates.map(({ item_id }) => item_id);
  expect(ids).toHaveLength(4);
  expect(ids).toEqual(expect.arrayContaining(['glass-bottle', 'drinking-glass', 'paper-cup', 'cardboard-box']));
  expect(candidates).toEqual(candidates.toSorted((a, b) => b.confidence - a.confidence));
  // What is left for it of the evidence: 0.5 (1 - 0.7) / (1 - 0.7 × 0.45) of its 0.45.
  expect(candidates.find(({ item_id }) => item_id === 'glass-bottle')?.confidence).toBe(0.099);
});

test('agreement never lowers a confidence, contradiction never raises one, and both stay probabilities', () => {
  const steps = [0, 0.2, 0.5, 0.59, 0.5996, 0.6, 0.8004, 0.9996, 1];
  for (const p of steps) {
    for (const q of steps) {
      for (const name of knownMaterials) {
        const { agreement, confidence } = mergeOpinions(of('glass-bottle', p), material(name, q));
        // The same material makes nothing certain that was not.
        const highest = agreement === 'bin' && p < 0.6 ? Math.max(p, 0.59) : 1;
        const [least, most] = agreement === 'none' ? [0, p] : [p, highest];
        expect(confidence).toBeGreaterThanOrEqual(least);
        expect(confidence).toBeLessThanOrEqual(most);
      }
    }
  }
});
