import { expect, test } from '@jest/globals';
import { locales } from '@bunri/queue-contracts';
import { catalogue } from './catalogue.ts';
import { cataloguePrompt, publicItems, publicItemsSchema } from './listing.ts';

test('the prompt lists every item once, under its category and stream', () => {
  const lines = cataloguePrompt().split('\n');
  const headings = lines.filter((line) => line.startsWith('## '));
  expect(new Set(headings).size).toBe(headings.length);
  const listed = lines.filter((line) => !line.startsWith('## ')).map((line) => line.split(': ')[0]);
  expect(listed).toHaveLength(catalogue.items.length);
  expect(new Set(listed)).toEqual(new Set(catalogue.items.map(({ id }) => id)));
  const carton = lines.indexOf('milk-carton: 우유팩(일반팩)');
  const above = lines.slice(0, carton).findLast((line) => line.startsWith('## '));
  expect(above).toBe('## recyclable | 종이팩');
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
