import { describe, expect, test } from '@jest/globals';
import { dataFiles } from './catalogue.ts';
import { findProblems } from './check-data.ts';
import type { DataFiles } from './schema.ts';
import { countRule } from './token-counts.ts';

test('the shipped data have no problem', () => {
  expect(findProblems(dataFiles)).toEqual([]);
});

type Rule = DataFiles['groups'][number]['rules'][number];

const text = { ko: '비우고 내놓으세요.', en: 'Empty it and put it out.' };
const step = (id: string, over: Partial<Rule> = {}): Rule => ({ id, kind: 'step', source: 'guide', text, ...over });

function group(id: string, wasteCategory: DataFiles['groups'][number]['wasteCategory'], rules: Rule[] = []) {
  const item = `${id}-thing`;
  return {
    group: id,
    wasteCategory,
    subcategory: id,
    names: { ko: '무리', en: 'group' },
    rules: [step(`${id}/empty`)],
    items: [
      {
        id: item,
        names: { ko: `것 ${id}`, en: `thing ${id}` },
        aliases: { ko: [`물건 ${id}`], en: [`object ${id}`] },
        materials: [],
        rules: [step(`${item}/empty`, { about: ['content'] }), ...rules],
      },
    ],
  };
}

const others = ['general', 'noncombustible', 'food', 'bulky', 'hazardous', 'construction'] as const;

/** Small data in which nothing but the number of items is wrong, with one change. */
function data(over: Partial<DataFiles> & { rules?: Rule[] } = {}): DataFiles {
  const { rules, ...files } = over;
  const small: DataFiles = {
    groups: [group('glass', 'recyclable', rules), ...others.map((id) => group(id, id))],
    categories: { names: dataFiles.categories.names, recyclable: [step('recyclable/all')], generic: [step('any/ask')] },
    topics: { content: { ko: ['비우'], en: ['empty'] } },
    sources: [{ id: 'guide', title: 'Guide', publisher: 'Ministry', version: '2024' }],
    ambiguous: [],
    situations: dataFiles.situations,
    phrasing: dataFiles.phrasing,
    tokenCounts: {},
    ...files,
  };
  const all = [
    ...small.groups.flatMap((each) => [...each.rules, ...each.items.flatMap((item) => item.rules)]),
    ...small.categories.recyclable,
    ...small.categories.generic,
  ];
  const tokenCounts = Object.fromEntries(all.map((rule) => [rule.id, countRule(rule)]));
  return { ...small, tokenCounts: over.tokenCounts ?? tokenCounts };
}

const problems = (over: Parameters<typeof data>[0]) =>
  findProblems(data(over)).filter((problem) => !problem.startsWith('there are '));

test('small data without a mistake have only too few items', () => {
  expect(findProblems(data())).toEqual(['there are 7 items, and there should be 250']);
});

describe('a rule is named that', () => {
  test.each<[problem: string, rule: Rule]>([
    ['rule glass-thing/a cites the unknown source hearsay', step('glass-thing/a', { source: 'hearsay' })],
    ['rule glass-thing/a has the unknown topic weather', step('glass-thing/a', { about: ['weather'] })],
    [
      'rule glass-thing/a names the unknown item unicorn',
      step('glass-thing/a', { kind: 'confusion', item: 'unicorn' }),
    ],
    [
      'rule glass-thing/a confuses the item with itself',
      step('glass-thing/a', { kind: 'confusion', item: 'glass-thing' }),
    ],
    [
      'rule glass-thing/a sends to the unknown group moon',
      step('glass-thing/a', { kind: 'condition', when: { damage: ['broken'] }, to: 'moon' }),
    ],
    [
      'rule glass-thing/a sends to the group in which the thing is already',
      step('glass-thing/a', { kind: 'condition', when: { damage: ['broken'] }, to: 'glass' }),
    ],
    ['rule food-thing/a stands in glass-thing', step('food-thing/a')],
    ['rule glass-thing/empty exists twice', step('glass-thing/empty')],
    ['rule glass-thing/a has no Korean text', step('glass-thing/a', { text: { ko: 'Empty', en: 'Empty.' } })],
    [
      'rule glass-thing/a has Hangul in its English text',
      step('glass-thing/a', { text: { ko: '비우세요', en: 'Do 비우세요.' } }),
    ],
  ])('%s', (problem, rule) => {
    const different = { ...rule, text: rule.text === text ? { ko: '다른 말을 합니다.', en: 'Says more.' } : rule.text };
    expect(problems({ rules: [different] })).toContain(problem);
  });

  test('takes more tokens than the smallest budget has', () => {
    const long = step('glass-thing/a', { text: { ko: '아주 길게 말합니다. '.repeat(30), en: 'Long.' } });
    expect(problems({ rules: [long] }).join()).toMatch(/rule glass-thing\/a takes \d+ tokens; 80 is the limit/);
  });

  test('repeats a step, so that it is never told', () => {
    expect(problems({ rules: [step('glass-thing/a')] }).join()).toContain('step glass-thing/a is never told');
  });

  test('has a key that nobody knows', () => {
    const rule = { ...step('glass-thing/a'), wehn: {} };
    expect(problems({ rules: [rule] }).join()).toMatch(/glass: items > glass-thing > rules > glass-thing\/a: .*wehn/);
  });

  test.each([
    ['was never counted', []],
    ['has another text than was counted', [1, 1]],
  ])('%s, with the command that counts', (_what, [ko, en]) => {
    const { tokenCounts } = data();
    const { 'any/ask': _, ...rest } = tokenCounts;
    const changed = ko === undefined || en === undefined ? rest : { ...rest, 'any/ask': [ko, en] as [number, number] };
    expect(problems({ tokenCounts: changed })).toEqual([
      'rule any/ask has no token count, or one of another text: npm run knowledge:check -- --write',
    ]);
  });
});

describe('names', () => {
  const twin = (alias: string) => {
    const [glass, ...rest] = data().groups;
    const [item] = glass?.items ?? [];
    if (glass === undefined || item === undefined) throw new Error('the first group has no item');
    return [{ ...glass, items: [{ ...item, aliases: { ...item.aliases, ko: [alias] } }] }, ...rest];
  };

  test('of two items are a problem, whatever their spacing and case', () => {
    expect(problems({ groups: twin('물건FOOD') })).toEqual([
      'the name 물건food is of several items: glass-thing, food-thing',
    ]);
  });

  test('may be of two items where they are declared ambiguous', () => {
    const ambiguous = [{ words: { ko: ['물건 food'], en: [] }, items: ['glass-thing', 'food-thing'] }];
    expect(problems({ groups: twin('물건FOOD'), ambiguous })).toEqual([]);
  });

  test('that are declared ambiguous for others are a problem', () => {
    const ambiguous = [{ words: { ko: ['물건 food'], en: [] }, items: ['bulky-thing', 'glass-thing'] }];
    expect(problems({ ambiguous })).toEqual([
      'the name 물건food of food-thing is declared ambiguous, but not for that item',
    ]);
  });

  test('that are declared ambiguous for an unknown item are a problem', () => {
    const ambiguous = [{ words: { ko: ['낱말'], en: [] }, items: ['bulky-thing', 'unicorn'] }];
    expect(problems({ ambiguous })).toEqual(['ambiguous words name the unknown item unicorn']);
  });
});

describe('the whole', () => {
  test('cites every source and uses every topic', () => {
    const { sources, topics } = data();
    const [source] = sources;
    if (source === undefined) throw new Error('there is no source');
    const unused = {
      sources: [...sources, { ...source, id: 'old' }],
      topics: { ...topics, fee: { ko: ['돈'], en: [] } },
    };
    expect(problems(unused)).toEqual(['source old is cited by no rule', 'topic fee has no rule']);
  });

  test('has an item in every category', () => {
    const { groups } = data();
    expect(problems({ groups: groups.filter(({ wasteCategory }) => wasteCategory !== 'food') })).toContain(
      'category food has no item',
    );
  });

  test('has every item once', () => {
    const { groups } = data();
    expect(problems({ groups: [...groups, ...groups.slice(0, 1)] })).toContain('item glass-thing exists twice');
  });
});
