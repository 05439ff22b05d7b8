import type { Locale, WasteCategory } from '@bunri/queue-contracts';
import { catalogue } from './catalogue.ts';
import { shippedKnowledge } from './context.ts';
import type { Item, Names } from './schema.ts';
import { search } from './search.ts';

export { catalogue } from './catalogue.ts';
export { buildContext, defaultTokenBudget, minTokenBudget, shippedKnowledge, type ContextRequest } from './context.ts';
export { knownMaterials, materialsOf, streamOf, type Material } from './item-materials.ts';
export { cataloguePrompt, publicItems, publicItemsSchema, type PublicItems } from './listing.ts';
export type { Item, Names, Rule, Source } from './schema.ts';

/** First 12 hex digits of the SHA-256 of the data; belongs into every cache key that depends on the rules. */
export const catalogueVersion: string = catalogue.version;
/** What people call the seven bins. */
export const categoryNames: Readonly<Record<WasteCategory, Names>> = catalogue.categoryNames;
export const sources = catalogue.sources;

export function itemById(id: string): Item | undefined {
  return catalogue.itemById.get(id);
}

export interface ItemMatch {
  readonly item_id: string;
  readonly item_name: string;
  /** 0 to 1; 1 where the query is one of the item's names. */
  readonly score: number;
}

/** Items whose Korean or English names share words with the query, best first, at most `limit`. */
export function searchItems(query: string, locale: Locale = 'ko', limit = 5): ItemMatch[] {
  return search(shippedKnowledge().index, query, { limit }).map(({ item, score }) => ({
    item_id: item.id,
    item_name: item.names[locale],
    score,
  }));
}
