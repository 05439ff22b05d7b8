import { expect, test } from '@jest/globals';
import { catalogue } from './catalogue.ts';
import { collectIndex } from './collect-index.ts';
import { search } from './search.ts';
import { buildIndex } from './search-index.ts';

const collected = collectIndex(catalogue);
const queries = [
  '페트병',
  '우유팩 어떻게 버려요',
  'pizza box',
  '건전지랑 형광등',
  'powerbank',
  '플라스틱 빨대',
  '먹다 남은 치킨',
];

test('an index that was written and read again finds the same as a fresh one', () => {
  const kept = buildIndex(catalogue, JSON.parse(JSON.stringify(collected)) as typeof collected);
  const fresh = buildIndex(catalogue);

  const found = (index: typeof fresh) =>
    queries.map((query) => search(index, query, { limit: 5 }).map(({ item, score }) => [item.id, score]));
  expect(found(kept)).toEqual(found(fresh));
  expect(found(kept).every((hits) => hits.length > 0)).toBe(true);
  expect([...kept.known]).toEqual([...fresh.known]);
  expect(kept.book).toEqual(fresh.book);
});

test('an index of another catalogue is refused', () => {
  expect(() => buildIndex({ ...catalogue, version: 'another' }, collected)).toThrow(/build the bundle again/);
});
