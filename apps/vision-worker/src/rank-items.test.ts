import { expect, test } from '@jest/globals';
import {
  buildContext,
  catalogue,
  itemById,
  knownMaterials,
  materialsOf,
  searchItems,
  streamOf,
  type Material,
} from '@bunri/knowledge';
import type { Locale } from '@bunri/queue-contracts';
import { classify } from './classify.ts';
import { materialFacts, rankItems } from './rank-items.ts';

type Seen = Partial<Record<Material, number>>;

function estimateOf(seen: Seen, familiarity = 0.5) {
  return { materials: knownMaterials.map((material) => ({ material, probability: seen[material] ?? 0 })), familiarity };
}

const anything: Readonly<Record<Locale, string>> = { ko: '이거 어떻게 버려요?', en: 'How do I throw this away?' };

/** What rag makes of the answer. */
function ragOf(seen: Seen, question: string, locale: Locale = 'ko') {
  const answer = rankItems(estimateOf(seen), question, locale);
  const classification = classify(answer, locale, { provider: 'local', model: 'materials@1' });
  return buildContext({ classification, question, locale, tokenBudget: 800 });
}

test.each<[string, Seen, string, number]>([
  ['glass-bottle', { glass: 0.92, plastic: 0.05 }, '유리병 버리는 법', 0.92],
  ['paper-cup', { paper: 0.9 }, '종이컵인데 어떻게 버려요?', 0.9],
  ['milk-carton', { carton: 0.7, paper: 0.2 }, '우유팩 버리는 법', 0.7],
  ['chopsticks-wood', { wood: 0.9 }, '나무젓가락 버리는 법', 0.9],
  // Of two materials the thing may show either.
  ['umbrella', { textile: 0.6, metal: 0.2 }, '우산 어떻게 버려요?', 0.6],
  // The photo speaks against what the person says: their word is kept, with the little that the photo gives it.
  ['glass-bottle', { metal: 0.9, glass: 0.04 }, '유리병 버리는 법', 0.04],
])('%s, which the question names, is as certain as its material', (item, seen, question, confidence) => {
  const answer = rankItems(estimateOf(seen), question, 'ko');
  expect(answer).toMatchObject({ item_id: item, confidence });
  expect(answer.candidates.length > 0).toBe(confidence < 0.6);
});

test.each<[Material, string]>([
  ['carton', '종이팩'],
  ['food', '음식물류'],
  ['glass', '유리병'],
  ['metal', '금속캔'],
  ['paper', '종이류'],
  ['textile', '의류·섬유류'],
])('%s alone is a stream and no item', (material, subcategory) => {
  const answer = rankItems(estimateOf({ [material]: 0.93 }), anything.ko, 'ko');
  expect(answer).toMatchObject({ item_id: null, subcategory, confidence: 0.93 });
  expect(answer.waste_category).toBe(material === 'food' ? 'food' : 'recyclable');
});

test.each<Material>(['plastic', 'wood'])('%s goes so many ways that it is never certain, and rag asks', (material) => {
  for (const locale of ['ko', 'en'] as const) {
    expect(rankItems(estimateOf({ [material]: 0.99 }), anything[locale], locale).confidence).toBeLessThan(0.6);
    expect(ragOf({ [material]: 0.99 }, anything[locale], locale).clarification?.options.length).toBeGreaterThan(2);
  }
});

test.each<[Material, boolean]>([
  ['glass', true],
  ['metal', true],
  ['carton', false],
  ['paper', false],
  ['food', false],
  ['textile', false],
])('of %s that nobody names rag asks which thing it is: %p', (material, asks) => {
  for (const locale of ['ko', 'en'] as const) {
    const context = ragOf({ [material]: 0.95 }, anything[locale], locale);
    expect([locale, context.item_id, context.clarification !== undefined]).toEqual([locale, null, asks]);
    expect(context.outcome?.subcategory).toBe(streamOf[material]);
  }
});

test.each(['스티로폼 상자', '건전지', '형광등', '과자 봉지', '키보드', '페인트', '투명 페트병', '유색 페트병'])(
  '%s is of a kind that no training photo showed: however sure the photo seems, the item is not',
  (name) => {
    for (const material of knownMaterials) {
      const answer = rankItems(estimateOf({ [material]: 0.99 }), `${name} 어떻게 버려요?`, 'ko');
      expect(answer.confidence).toBeLessThan(0.6);
      expect([answer.item_id, ...answer.candidates.map(({ item_id }) => item_id)]).toContain(
        searchItems(name)[0]?.item_id,
      );
    }
  },
);

test('a word for several things is narrowed by the material, and still asked back', () => {
  const answer = rankItems(estimateOf({ metal: 0.95, paper: 0.03 }), '이 숟가락 버려도 돼요?', 'ko');
  expect(answer).toMatchObject({ item_id: 'metal-cutlery', confidence: 0.5 });
  expect(ragOf({ metal: 0.95, paper: 0.03 }, '이 숟가락 버려도 돼요?').clarification).toBeDefined();
  const bottles = rankItems(estimateOf({ plastic: 0.95 }), '페트병 어떻게 버려요?', 'ko');
  expect(bottles.item_id).toBeNull();
  expect(bottles.candidates.map(({ item_id }) => item_id)).toEqual([
    'clear-pet-bottle',
    'coloured-pet-bottle',
    'food-pet-bottle',
  ]);
  // A lid on a glass: never taken for the one lid that is of glass.
  expect(rankItems(estimateOf({ glass: 0.97 }), '뚜껑은 어떻게 해요?', 'ko').confidence).toBeLessThan(0.6);
});

test('a photo that speaks against all that a word may mean decides nothing: they stay the candidates', () => {
  const answer = rankItems(estimateOf({ paper: 0.95 }), '이 숟가락 버려도 돼요?', 'ko');
  expect(answer).toMatchObject({ item_id: null, confidence: 0.5 });
  expect(answer.candidates.map(({ item_id }) => item_id).toSorted()).toEqual([
    'disposable-cutlery',
    'metal-cutlery',
    'wooden-utensil',
  ]);
});

test('an unfamiliar photo lowers every confidence, down to one that supports nothing', () => {
  const confidence = (familiarity: number) =>
    rankItems(estimateOf({ carton: 0.9 }, familiarity), '우유팩', 'ko').confidence;
  expect([1, 0.05, 0.02, 0].map(confidence)).toEqual([0.9, 0.9, 0.36, 0]);
});

test('the three likeliest materials stand among the candidates, and what is hardly likely does not', () => {
  const of = (seen: Seen) => rankItems(estimateOf(seen), anything.ko, 'ko').candidates.map(({ item_id }) => item_id);
  expect(of({ paper: 0.5, carton: 0.3, textile: 0.15, wood: 0.05 })).toEqual([
    'cardboard-box',
    'office-paper',
    'milk-carton',
    'clothes',
  ]);
  expect(of({ paper: 0.95, carton: 0.04 })).toEqual(['cardboard-box', 'office-paper', 'paper-box', 'newspaper']);
});

test('no candidate is likelier than the photo makes its material', () => {
  const seen = { paper: 0.5, carton: 0.3, textile: 0.2 };
  for (const { item_id, confidence } of rankItems(estimateOf(seen), anything.ko, 'ko').candidates) {
    const item = itemById(item_id);
    const most = Math.max(
      ...(item ? materialsOf(item) : []).map(
        (material) => estimateOf(seen).materials.find((each) => each.material === material)?.probability ?? 0,
      ),
    );
    expect(confidence).toBeLessThanOrEqual(most);
  }
});

test('nothing is said of the condition', () => {
  const { condition } = rankItems(estimateOf({ glass: 1 }), '다 씻은 유리병', 'ko');
  expect(new Set(Object.values(condition))).toEqual(new Set(['unknown']));
});

test('the usual items are in the catalogue, are of their material, and include its stream', () => {
  for (const material of knownMaterials) {
    const { usual, waste_category, alwaysAsk } = materialFacts[material];
    const subcategory = streamOf[material];
    const items = usual.map((id) => itemById(id));
    expect([material, items.includes(undefined)]).toEqual([material, false]);
    expect(items.some((item) => item?.subcategory === subcategory && item.wasteCategory === waste_category)).toBe(true);
    if (alwaysAsk) continue;
    for (const item of items)
      expect([item?.id, item && materialsOf(item)]).toEqual([item?.id, expect.arrayContaining([material])]);
  }
});

test('what a thing is called that nobody has named finds no item', () => {
  for (const { names } of Object.values(materialFacts)) {
    for (const locale of ['ko', 'en'] as const) {
      const { candidates } = buildContext({
        classification: classify(
          { ...rankItems(estimateOf({ glass: 1 }), '?', locale), item_name: names[locale], candidates: [] },
          locale,
          { provider: 'local', model: 'x' },
        ),
        question: '?',
        locale,
        tokenBudget: 800,
      });
      expect([names[locale], candidates]).toEqual([names[locale], []]);
    }
  }
});

test('groups without training photos have no material, and the others mostly have one', () => {
  const without = catalogue.items.filter((item) => materialsOf(item).length === 0);
  for (const group of ['styrofoam', 'vinyl', 'clear-pet', 'battery', 'lamp', 'electronics', 'hazardous']) {
    const items = catalogue.items.filter((item) => item.group === group);
    expect(items.every((item) => without.includes(item))).toBe(true);
  }
  for (const group of ['glass', 'metal', 'paper', 'paper-pack', 'food', 'textile']) {
    const unknown = without.filter((item) => item.group === group).map(({ id }) => id);
    expect([group, unknown]).toEqual([group, []]);
  }
});
