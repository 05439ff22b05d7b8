import { describe, expect, test } from '@jest/globals';
import { catalogue } from './catalogue.ts';
import type { Rule } from './schema.ts';
import { search } from './search.ts';
import { buildIndex } from './search-index.ts';

const index = buildIndex(catalogue);
const find = (query: string, strict = false) => search(index, query, { limit: 5, strict });
const best = (query: string) => find(query)[0]?.item.id;

test('every name and alias finds its item first, or level with another of the same score', () => {
  const lost = catalogue.items.flatMap(({ id, names, aliases }) =>
    [names.ko, names.en, ...aliases.ko, ...aliases.en].filter((name) => {
      const [first, ...others] = find(name);
      const own = [first, ...others].find((hit) => hit?.item.id === id);
      return own === undefined || own.score < 0.8 || own.score < (first?.score ?? 0);
    }),
  );
  expect(lost).toEqual([]);
});

describe('writing does not matter', () => {
  test.each([
    ['우유 팩', 'milk-carton'],
    ['투명페트병', 'clear-pet-bottle'],
    ['투명 페트 병', 'clear-pet-bottle'],
    ['보조 배터리', 'power-bank'],
    ['LED전구', 'led-bulb'],
    ['led 전구', 'led-bulb'],
    ['PowerBank', 'power-bank'],
    ['pizza boxes', 'pizza-box'],
    ['Wall paper', 'wallpaper'],
    ['teabags', 'tea-bag'],
    ['우유팩'.normalize('NFD'), 'milk-carton'],
    ['스치로폼 박스', 'styrofoam-box'],
    ['형광들', 'fluorescent-lamp'],
    ['후라이펜', 'frying-pan'],
    ['캐이크 상자', 'cake-box'],
    ['건전디', 'dry-battery'],
    ['styrofom box', 'styrofoam-box'],
    ['matress', 'mattress'],
  ])('%s finds %s', (query, id) => {
    expect(best(query)).toBe(id);
  });
});

describe('a whole question finds the thing in it', () => {
  test.each([
    ['우유팩은 어떻게 버려요?', 'milk-carton'],
    ['약은 어디에 버려요?', 'medicine'],
    ['다 쓴 건전지를 버리려고 하는데요', 'dry-battery'],
    ['How can I throw away a can?', 'beverage-can'],
    ['양념이 담긴 소스 용기', 'sauce-cup'],
    ['Where do I put old receipts?', 'receipt'],
  ])('%s finds %s', (query, id) => {
    expect(best(query)).toBe(id);
  });
});

test('two syllables that only meet across a space are no word', () => {
  expect(find('이거 울퉁불퉁한데 뭐죠')).toEqual([]);
});

test('a word that no item has lowers the score of a name, but not of a question', () => {
  const [question] = find('번쩍번쩍하는 거울');
  const [name] = find('번쩍번쩍하는 거울', true);
  expect(question?.item.id).toBe('mirror');
  expect(question?.score).toBeGreaterThan(0.9);
  expect(name?.item.id).toBe('mirror');
  expect(name?.score).toBeLessThan(0.65);
});

test('nothing in common gives nothing', () => {
  expect(find('')).toEqual([]);
  expect(find('zzz 뷁뷁')).toEqual([]);
});

test('scores lie between 0 and 1, best first, at most as many as asked for', () => {
  const hits = search(index, '플라스틱 유리 종이 용기 병', { limit: 7 });
  expect(hits).toHaveLength(7);
  const scores = hits.map(({ score }) => score);
  expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  for (const score of scores) expect(score > 0 && score <= 1).toBe(true);
});

describe('what is said beside the thing', () => {
  test.each([
    ['a specific name beats its part', '커피 캡슐', 'coffee-capsule'],
    ['the last word of a phrase is the thing', '유리병 뚜껑은요?', 'bottle-cap'],
    ['what describes the thing is not the thing', '치킨 먹고 남은 뼈', 'bones'],
    ['a part that is to be taken off is not the thing', '투명 페트병 라벨 떼야 하나요?', 'clear-pet-bottle'],
    ['a bin is not the thing', '영수증은 종이로 버려도 되나요?', 'receipt'],
    ['an English bin is not the thing', 'can receipts go in the paper bin?', 'receipt'],
    ['a material that is asked about is not the thing', '칫솔은 플라스틱인가요?', 'toothbrush'],
  ])('%s', (_guarantee, question, id) => {
    expect(best(question)).toBe(id);
  });
});

test('an ambiguous word finds all of its items in the declared order', () => {
  const [{ items } = { items: [] }] = catalogue.ambiguous;
  expect(find('배터리').map(({ item }) => item.id)).toEqual(items);
});

test('a word that stands only in a rule finds its item, but never beats a name', () => {
  const rule = {
    id: 'receipt/tally',
    kind: 'step' as const,
    source: 'moe-portal',
    about: [],
    important: false,
  } satisfies Partial<Rule>;
  const text = { ko: '계산대 쿠폰첩도 넣으세요.', en: 'Put in till rolls as well.' };
  const items = catalogue.items.map((item) =>
    item.id === 'receipt' ? { ...item, rules: [{ ...rule, text, version: '1', tokens: { ko: 1, en: 1 } }] } : item,
  );
  const odd = buildIndex({ ...catalogue, items });
  const [hit] = search(odd, '쿠폰첩는요?', { limit: 1 });
  expect(hit?.item.id).toBe('receipt');
  expect(hit?.score).toBeLessThan(0.65);
  expect(search(odd, '쿠폰첩 우유팩', { limit: 1 })[0]?.item.id).toBe('milk-carton');
});
