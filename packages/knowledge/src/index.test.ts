import { expect, test } from '@jest/globals';
import { catalogue, catalogueVersion, categoryNames, itemById, searchItems, sources } from './index.ts';

test('an item is found by its id, and an unknown id gives nothing', () => {
  expect(itemById('receipt')?.names.ko).toBe('영수증');
  expect(itemById('no-such-item')).toBeUndefined();
});

test('search answers in the language asked for', () => {
  expect(searchItems('우유팩', 'en', 1)).toEqual([{ item_id: 'milk-carton', item_name: 'Milk carton', score: 1 }]);
  expect(searchItems('milk carton', 'ko', 1)[0]?.item_name).toBe('우유팩(일반팩)');
});

test('what is exported is of the one shipped catalogue', () => {
  expect(catalogueVersion).toBe(catalogue.version);
  expect(categoryNames.food).toEqual({ ko: '음식물류', en: 'Food waste' });
  expect(sources).toBe(catalogue.sources);
});
