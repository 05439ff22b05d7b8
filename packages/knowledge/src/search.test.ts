import { describe, expect, test } from '@jest/globals';
import { catalogue } from './catalogue.ts';
import { buildIndex, search } from './search.ts';

const index = buildIndex(catalogue.items);
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
  expect(question).toMatchObject({ item: { id: 'mirror' }, score: 1 });
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
