import { expect, test } from '@jest/globals';
import { locales } from '@bunri/queue-contracts';
import { catalogue } from './catalogue.ts';
import { cataloguePrompt, publicItems, publicItemsSchema } from './listing.ts';

test('the prompt lists every item once, one line each, with five fields', () => {
  const lines = cataloguePrompt().split('\n');
  expect(lines).toHaveLength(catalogue.items.length);
  for (const line of lines) expect(line.split(' | ')).toHaveLength(5);
  expect(lines).toContain('milk-carton | 우유팩(일반팩) | Milk carton | recyclable | 종이팩');
});

test('the prompt is the same at every call', () => {
  expect(cataloguePrompt()).toBe(cataloguePrompt());
});

test.each(locales)('the public list in %s matches its schema and holds every item and rule', (locale) => {
  const list = publicItemsSchema.parse(publicItems(locale));
  expect(list.items.map(({ id }) => id)).toEqual(catalogue.items.map(({ id }) => id));
  expect(list.items.flatMap(({ rules }) => rules)).toHaveLength(catalogue.items.flatMap(({ rules }) => rules).length);
  expect(list.version).toBe(catalogue.version);
});

test('every source that a public rule cites is in the list', () => {
  const { items, sources } = publicItems('en');
  const known = new Set(sources.map(({ id }) => id));
  for (const { rules } of items) for (const { source_id } of rules) expect(known.has(source_id)).toBe(true);
});
