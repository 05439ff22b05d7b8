import { describe, expect, test } from '@jest/globals';
import { wasteCategories, type WasteCategory } from '@bunri/queue-contracts';
import { buildCatalogue, catalogue, dataFiles } from './catalogue.ts';
import { checkData } from './check-data.ts';
import { buildIndex, search } from './search.ts';

const allRules = [
  ...catalogue.items.flatMap(({ rules }) => rules),
  ...catalogue.groups.flatMap(({ rules }) => rules),
  ...catalogue.recyclableRules,
  ...catalogue.genericRules,
];

/** Names that rightly belong to two items; search hands on both. */
const declaredAmbiguities: readonly string[] = [];

describe('the shipped data', () => {
  test('has the shape that everything relies on, and no dangling or repeated id', () => {
    expect(() => checkData(dataFiles)).not.toThrow();
  });

  test('holds at least 70 items, at least two in every category and group', () => {
    expect(catalogue.items.length).toBeGreaterThanOrEqual(70);
    for (const category of wasteCategories) {
      expect(catalogue.items.filter(({ wasteCategory }) => wasteCategory === category).length).toBeGreaterThan(1);
    }
    for (const { items } of dataFiles.groups) expect(items.length).toBeGreaterThan(1);
  });

  test('names every category in both languages', () => {
    expect(Object.keys(catalogue.categoryNames).toSorted()).toEqual([...wasteCategories].toSorted());
  });

  test('calls no two items by the same name, except where that is declared', () => {
    const owners = new Map<string, Set<string>>();
    for (const { id, names, aliases } of catalogue.items) {
      for (const name of [names.ko, names.en, ...aliases.ko, ...aliases.en]) {
        const key = name.toLowerCase().replaceAll(/\s/g, '');
        owners.set(key, (owners.get(key) ?? new Set()).add(id));
      }
    }
    const ambiguous = [...owners].filter(([, ids]) => ids.size > 1).map(([name]) => name);
    expect(ambiguous).toEqual(declaredAmbiguities);
  });

  test('gives every item a step that stands in any condition', () => {
    const without = catalogue.items.filter(
      ({ rules }) => !rules.some(({ kind, when }) => kind === 'step' && when === undefined),
    );
    expect(without).toEqual([]);
  });

  test('writes Korean texts in Hangul and English texts without it', () => {
    const wrong = allRules.filter(
      ({ text }) => !/[가-힣]/.test(text.ko) || /[가-힣]/.test(text.en.replace('폐의약품', '')),
    );
    expect(wrong.map(({ id }) => id)).toEqual([]);
  });

  test('is in NFC, so that bigrams of a typed question meet those of a name', () => {
    const text = JSON.stringify(dataFiles);
    expect(text.normalize('NFC')).toBe(text);
  });

  test('gives every rule the version of an existing source, and cites every source', () => {
    const versions = new Map(catalogue.sources.map(({ id, version }) => [id, version]));
    for (const rule of allRules) expect(rule.version).toBe(versions.get(rule.source));
    const cited = new Set(allRules.map(({ source }) => source));
    expect(catalogue.sources.filter(({ id }) => !cited.has(id))).toEqual([]);
  });

  test('never confuses an item with itself', () => {
    for (const { id, rules } of catalogue.items) expect(rules.some(({ item }) => item === id)).toBe(false);
  });

  test('uses every topic that it declares', () => {
    const used = new Set(allRules.flatMap(({ about }) => about));
    expect(Object.keys(catalogue.topics).filter((topic) => !used.has(topic))).toEqual([]);
  });
});

describe('things that people get wrong', () => {
  const index = buildIndex(catalogue.items);
  const table: [name: string, id: string, category: WasteCategory][] = [
    ['영수증', 'receipt', 'general'],
    ['thermal paper', 'receipt', 'general'],
    ['우유팩', 'milk-carton', 'recyclable'],
    ['두유팩', 'aseptic-carton', 'recyclable'],
    ['냄비 유리뚜껑', 'heat-resistant-glass', 'noncombustible'],
    ['내열유리', 'heat-resistant-glass', 'noncombustible'],
    ['깨진 유리', 'broken-glass', 'noncombustible'],
    ['거울', 'mirror', 'noncombustible'],
    ['뚝배기', 'ceramic-dish', 'noncombustible'],
    ['멜라민 그릇', 'melamine', 'general'],
    ['닭뼈', 'bones', 'general'],
    ['조개껍데기', 'shells', 'general'],
    ['계란 껍질', 'shells', 'general'],
    ['복숭아 씨', 'hard-seeds', 'general'],
    ['티백', 'tea-bag', 'general'],
    ['양파 껍질', 'onion-skin', 'general'],
    ['바나나 껍질', 'fruit-peel', 'food'],
    ['건전지', 'dry-battery', 'recyclable'],
    ['보조배터리', 'power-bank', 'recyclable'],
    ['부탄가스', 'butane-can', 'recyclable'],
    ['살충제 캔', 'spray-can', 'recyclable'],
    ['샴푸통', 'pump-bottle', 'recyclable'],
    ['커피캡슐', 'coffee-capsule', 'general'],
    ['아이스팩', 'ice-pack', 'general'],
    ['감기약', 'medicine', 'hazardous'],
    ['수은 체온계', 'mercury-thermometer', 'hazardous'],
    ['CD', 'cd', 'general'],
    ['장난감', 'toy', 'general'],
    ['우산', 'umbrella', 'general'],
    ['프라이팬', 'frying-pan', 'recyclable'],
    ['형광등', 'fluorescent-lamp', 'recyclable'],
    ['LED 전구', 'led-bulb', 'recyclable'],
    ['백열전구', 'incandescent-bulb', 'noncombustible'],
    ['맥주 페트병', 'coloured-pet-bottle', 'recyclable'],
    ['생수병', 'clear-pet-bottle', 'recyclable'],
    ['스티로폼 박스', 'styrofoam-box', 'recyclable'],
    ['색깔 스티로폼', 'coloured-styrofoam', 'general'],
    ['뽁뽁이', 'bubble-wrap', 'recyclable'],
    ['빨대', 'straw', 'general'],
    ['종이컵', 'paper-cup', 'recyclable'],
    ['피자 상자', 'pizza-box', 'recyclable'],
    ['헌책', 'book', 'recyclable'],
    ['노트북', 'computer', 'recyclable'],
    ['헌옷', 'clothes', 'recyclable'],
    ['베개', 'cotton-duvet', 'general'],
    ['소파', 'furniture', 'bulky'],
    ['여행용 가방', 'suitcase', 'bulky'],
    ['냉장고', 'large-appliance', 'recyclable'],
    ['드라이기', 'small-appliance', 'recyclable'],
    ['벽지', 'wallpaper', 'construction'],
    ['타일', 'tile', 'construction'],
    ['벽돌', 'brick', 'construction'],
    ['물티슈', 'wet-wipe', 'general'],
    ['알약 포장', 'blister-pack', 'general'],
  ];

  test.each(table)('%s is %s, %s', (name, id, category) => {
    const [best] = search(index, name, { limit: 1, strict: true });
    expect(best).toMatchObject({ item: { id, wasteCategory: category } });
    expect(best?.score).toBeGreaterThan(0.9);
  });
});

describe('inconsistent data is refused', () => {
  const change = (edit: (rule: Record<string, unknown>) => void) => {
    const groups = structuredClone(dataFiles.groups) as unknown as { items: { rules: Record<string, unknown>[] }[] }[];
    const rule = groups[0]?.items[0]?.rules[0];
    if (rule === undefined) throw new Error('the first group has no rule');
    edit(rule);
    return () => checkData({ ...dataFiles, groups });
  };

  test('an unknown source is named', () => {
    expect(change((rule) => (rule['source'] = 'hearsay'))).toThrow('unknown source hearsay');
  });

  test('an unknown topic is named', () => {
    expect(change((rule) => (rule['about'] = ['weather']))).toThrow('unknown topic weather');
  });

  test('a confusion with an unknown item is named', () => {
    expect(change((rule) => Object.assign(rule, { kind: 'confusion', item: 'unicorn' }))).toThrow(
      'unknown item unicorn',
    );
  });

  test('a rule id of another item is named', () => {
    expect(change((rule) => (rule['id'] = 'receipt/rinse'))).toThrow('rule receipt/rinse stands in clear-pet-bottle');
  });

  test('a misspelt key is an error', () => {
    expect(change((rule) => (rule['wehn'] = {}))).toThrow('wehn');
  });

  test('an item that exists twice is named', () => {
    const [first] = dataFiles.groups;
    expect(() => checkData({ ...dataFiles, groups: [first, first] })).toThrow('item clear-pet-bottle exists twice');
  });
});

test('the version changes with the data and only with it', () => {
  const groups = structuredClone(dataFiles.groups);
  expect(buildCatalogue({ ...dataFiles, groups }).version).toBe(catalogue.version);
  const [item] = groups[0]?.items ?? [];
  if (item !== undefined) item.names.en = 'Bottle';
  expect(buildCatalogue({ ...dataFiles, groups }).version).not.toBe(catalogue.version);
  expect(catalogue.version).toMatch(/^[0-9a-f]{12}$/);
});
