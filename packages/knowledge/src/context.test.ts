import { describe, expect, test } from '@jest/globals';
import { contextSchema, locales, wasteCategories, type Condition } from '@bunri/queue-contracts';
import { catalogue } from './catalogue.ts';
import { context, dirtyBottle, ids, unseen } from './context-fixture.ts';
import { minTokenBudget } from './context.ts';

describe('the item', () => {
  test('is the classified one, where the catalogue has it', () => {
    expect(context()).toMatchObject({ item_id: 'clear-pet-bottle', match: 'id', candidates: [] });
  });

  test('is searched by its name where no id is given or the id is unknown', () => {
    for (const item_id of [null, 'no-such-item']) {
      const found = context({ item_id, item_name: '두유 팩', subcategory: '종이팩' });
      expect(found).toMatchObject({ item_id: 'aseptic-carton', item_name: '멸균팩', match: 'search' });
      expect(found.candidates[0]).toMatchObject({ item_id: 'aseptic-carton', score: 1 });
    }
  });

  test('is searched in the question too', () => {
    const found = context({ item_id: null, item_name: '알 수 없음' }, '영수증은 종이로 버리나요?');
    expect(found).toMatchObject({ item_id: 'receipt', match: 'search' });
  });

  test('stays unknown where nothing fits: then the group speaks, and says that it is not certain', () => {
    const unknown = context({ item_id: null, item_name: '이상한 것', subcategory: '유리병' });
    expect(unknown).toMatchObject({ item_id: null, item_name: '이상한 것', match: 'category' });
    expect(unknown.sentences.map(({ rule_id }) => rule_id)).toEqual([
      'glass/empty-rinse',
      'glass/broken',
      'glass/bottles-only',
      'any/ask',
    ]);
  });

  test('of an unknown kind of recyclable gets the rules of all recyclables', () => {
    const rules = ids({ item_id: null, item_name: '?', subcategory: '?' });
    expect(rules).toEqual(['recyclable/four-steps', 'any/ask']);
  });

  test('half found is a candidate, not a match', () => {
    const { match, candidates } = context({ item_id: null, item_name: '반짝이는 무슨무슨 거울', subcategory: '?' });
    expect(match).toBe('category');
    expect(candidates.map(({ item_id }) => item_id)).toContain('mirror');
  });
});

test('a sentence says whether the question is about it', () => {
  const { sentences } = context({}, '라벨 떼야 돼요? 유색 페트병이랑 같이요?');
  const asked = sentences.filter((sentence) => sentence.asked).map(({ rule_id }) => rule_id);
  expect(asked).toEqual(
    expect.arrayContaining(['clear-pet-bottle/label-off', 'clear-pet-bottle/vs-coloured-pet-bottle']),
  );
  expect(asked.length).toBeLessThan(sentences.length);
  expect(context({}, '').sentences.some((sentence) => sentence.asked)).toBe(false);
});

describe('the question', () => {
  test.each<[question: string, rule: string]>([
    ['뚜껑은 어떻게 해요?', 'clear-pet-bottle/cap-ring'],
    ['초록색도 되나요? 색깔이 있어요', 'clear-pet-bottle/vs-coloured-pet-bottle'],
    ['What about the cap?', 'clear-pet-bottle/cap-ring'],
    ['유색 페트병이랑 같이 버려요?', 'clear-pet-bottle/vs-coloured-pet-bottle'],
  ])('%s selects %s, which is not told unasked', (question, rule) => {
    expect(ids()).not.toContain(rule);
    expect(ids({}, question)).toContain(rule);
  });

  test('about the label selects the label rule, even where the label is off', () => {
    const condition: Condition = { ...dirtyBottle, label: 'off' };
    expect(ids({ condition }, '라벨 떼야 돼요?')).toContain('clear-pet-bottle/label-off');
    expect(ids({ item_id: 'label-free-bottle' }, '라벨 떼야 돼요?')).toContain('label-free-bottle/no-label');
  });

  test('is not needed for a prohibition that protects people', () => {
    expect(ids({ item_id: 'butane-can' })).toContain('butane-can/no-indoor');
  });
});

test('confusions are told unasked where the item is a guess', () => {
  expect(ids({ confidence: 0.9 })).not.toContain('clear-pet-bottle/vs-clear-tray');
  expect(ids({ confidence: 0.4 })).toContain('clear-pet-bottle/vs-clear-tray');
});

const costs = new Map(
  [
    ...[...catalogue.items, ...catalogue.groups].flatMap(({ rules }) => rules),
    ...catalogue.recyclableRules,
    ...catalogue.genericRules,
  ].map(({ id, tokens }) => [id, tokens]),
);

describe('any request', () => {
  const questions = [
    '',
    '라벨 떼야 돼요?',
    '기름 묻은 건 어디에 버려요? 뚜껑, 테이프, 색깔, 비용은요?',
    'What about the cap, and is it dirty?',
  ];
  const states: Condition[] = [
    unseen,
    dirtyBottle,
    { cap: 'none', rinsed: 'yes', contamination: 'heavy', label: 'none' },
  ];
  const requests = [
    ...catalogue.items.map(({ id, names, wasteCategory, subcategory }) => ({
      item_id: id,
      item_name: names.ko,
      waste_category: wasteCategory,
      subcategory,
    })),
    ...wasteCategories.map((waste_category) => ({ item_id: null, item_name: '?', waste_category, subcategory: '?' })),
  ].flatMap((item) => states.flatMap((condition) => questions.map((question) => ({ item, condition, question }))));

  test.each(locales)(
    'in %s gets a valid, non-empty context within the budget, without repeated sentences',
    (locale) => {
      const broken = requests.filter(({ item, condition, question }, index) => {
        const tokenBudget = [minTokenBudget, 200, 1000][index % 3] ?? minTokenBudget;
        const { sentences, tokens } = contextSchema.parse(
          context({ ...item, condition }, question, { locale, tokenBudget }),
        );
        const cost = sentences.reduce((sum, { rule_id }) => sum + (costs.get(rule_id)?.[locale] ?? NaN), 0);
        const texts = new Set(sentences.map(({ text }) => text));
        return sentences.length === 0 || tokens > tokenBudget || tokens !== cost || texts.size !== sentences.length;
      });
      expect(broken).toEqual([]);
    },
  );

  test('gets the same context twice', () => {
    for (const { item, condition, question } of requests.slice(0, 50)) {
      expect(context({ ...item, condition }, question)).toEqual(context({ ...item, condition }, question));
    }
  });
});

test('the order is steps, conditions, prohibitions, exceptions, confusions', () => {
  const order = ['step', 'condition', 'prohibition', 'exception', 'confusion'];
  const { sentences } = context(
    { item_id: 'cardboard-box', confidence: 0.3, condition: unseen },
    '테이프, 코팅, 오염은요?',
  );
  const kinds = sentences.map(({ kind }) => order.indexOf(kind));
  expect(kinds).toEqual(kinds.toSorted((a, b) => a - b));
  expect(new Set(kinds).size).toBeGreaterThan(2);
});

test('a short budget keeps what is seen before the steps, and the steps before the background', () => {
  const condition: Condition = { ...unseen, contamination: 'heavy' };
  const smallest = ids({ item_id: 'delivery-container', condition }, '', { tokenBudget: minTokenBudget });
  expect(smallest).toContain('delivery-container/stained');
  expect(smallest.length).toBeLessThan(3);
  const short = ids({ item_id: 'milk-carton', condition: unseen, confidence: 0.3 }, '', { tokenBudget: 120 });
  expect(short).toContain('milk-carton/carton-bin');
  expect(short).not.toContain('milk-carton/vs-aseptic-carton');
});

test('a budget that no sentence fits is refused', () => {
  expect(() => context({}, '', { tokenBudget: minTokenBudget - 1 })).toThrow(RangeError);
});
