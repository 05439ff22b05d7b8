import { expect, test } from '@jest/globals';
import { buildCatalogue, catalogue, dataFiles } from './catalogue.ts';
import { collectIndex } from './collect-index.ts';
import { link } from './link.ts';
import { search } from './search.ts';
import { buildIndex, type SearchIndex } from './search-index.ts';
import { compact } from './words.ts';

const collected = collectIndex(catalogue);
const written = JSON.stringify(collected);
const kept = buildIndex(catalogue, JSON.parse(written) as typeof collected);
const fresh = buildIndex(catalogue);
const queries = [
  '페트병',
  '우유팩 어떻게 버려요',
  'pizza box',
  '건전지랑 형광등',
  'powerbank',
  '플라스틱 빨대',
  '먹다 남은 치킨',
  '형광들 버리는 법',
  'broken flourescent lamp',
];

test('an index that was written and read again finds the same as a fresh one', () => {
  const found = (index: SearchIndex) =>
    queries.map((query) => ({
      hits: search(index, query, { limit: 5 }).map(({ item, score }) => [item.id, score]),
      words: index.read(query),
      linked: link(index, query),
    }));
  expect(found(kept)).toEqual(found(fresh));
  expect(found(kept).every(({ hits }) => hits.length > 0)).toBe(true);
  expect(JSON.parse(written)).toEqual(collected);
  expect(kept.book).toEqual(fresh.book);
  expect(kept.spellings).toEqual(fresh.spellings);
});

test('each name of each item finds it, read from what was written', () => {
  const lost = catalogue.items.flatMap((item) =>
    [item.names.ko, item.names.en].filter(
      (name) => !search(kept, name, { limit: 5, strict: true }).some((hit) => hit.item === item),
    ),
  );
  expect(lost).toEqual([]);
});

test('the words by which a question is known are told from those of rules, tokens and keys alone', () => {
  const [from, to] = collected.known;
  const known = new Set(collected.words.filter((word) => kept.isKnown(word)));
  expect(known).toEqual(new Set(collected.words.slice(from, to)));
  expect(known.has(compact('우유팩'))).toBe(true);
  expect(known.has('')).toBe(false);
  expect(kept.isKnown('nosuchword')).toBe(false);
  const ruled = collected.words.filter((_, place) => collected.ruleWords[place] !== 0);
  expect(ruled.length).toBeGreaterThan(0);
  expect(ruled.filter((word) => known.has(word))).toEqual([]);
});

test('every word of the index stands in it once, and every list for each word is as long as the words', () => {
  const { words, tokens, asWritten, byStems, ruleWords } = collected;
  expect(new Set(words).size).toBe(words.length);
  const lengths = [tokens.ofWords, tokens.counts, asWritten, byStems, ruleWords].map(({ length }) => length);
  expect(new Set(lengths)).toEqual(new Set([words.length]));
});

test('a token weighs the more the fewer items have it, and a name as much as its tokens', () => {
  const { weightOf, variantsWith, totalOf, isSingle, ownerOf } = kept.tokens;
  const [word = ''] = collected.words.filter((each) => weightOf(each) === kept.unknownWeight);
  expect(new Set([...variantsWith(word)].map((variant) => ownerOf(variant)?.item)).size).toBe(1);
  const common = weightOf('plastic') ?? 0;
  expect(common).toBeGreaterThan(0);
  expect(common).toBeLessThan(kept.unknownWeight);
  const alone = [...variantsWith('plastic')].filter((variant) => isSingle(variant));
  expect(alone.map((variant) => totalOf(variant))).toEqual(alone.map(() => common));
  expect(weightOf('nosuchword')).toBeUndefined();
  expect([...variantsWith('nosuchword')]).toEqual([]);
});

test('an index of another catalogue is refused', () => {
  expect(() => buildIndex({ ...catalogue, version: 'another' }, collected)).toThrow(/build the bundle again/);
  const groups = structuredClone(dataFiles.groups);
  const [item] = groups[0]?.items ?? [];
  if (item !== undefined) item.names.en = 'Bottle';
  expect(() => buildIndex(buildCatalogue({ ...dataFiles, groups }), collected)).toThrow(/build the bundle again/);
});

test('more words than a process can number are refused when they are collected', () => {
  const en = Array.from({ length: 2 ** 16 }, (_, number) => `thing${number}`);
  const items = catalogue.items.slice(0, 1).map((item) => ({ ...item, aliases: { ko: [], en } }));
  expect(() => collectIndex({ ...catalogue, items, ambiguous: [] })).toThrow(RangeError);
});
