import type { Catalogue } from './catalogue.ts';
import type { Item } from './schema.ts';
import { compact } from './words.ts';

/** An item that a name stands for. */
export interface Named {
  readonly item: Item;
  /** 1; a little less for the later ones of the items that share an ambiguous word, so that their order is kept. */
  readonly share: number;
  /** Compact words that mean the same, where it is one that several items share. */
  readonly words: readonly string[];
}

/** Who has names: an item, or one of the items that ambiguous words may stand for. */
export interface NameOwner extends Named {
  /** The ambiguous words as they are written; undefined where the names are the item's own. */
  readonly shared: readonly string[] | undefined;
}

/** The names of all items, to be found by their spelling alone. */
export interface NameBook {
  /** Of each word, its place in the lists of numbers below. */
  readonly places: ReadonlyMap<string, number>;
  /** Number in `lists` of whom each word stands for as it is written, and by its stems. */
  readonly asWritten: Uint16Array;
  readonly byStems: Uint16Array;
  /** The first is empty: most words are no name. */
  readonly lists: readonly (readonly Named[])[];
  /** Letters of the longest name. */
  readonly longest: number;
}

const laterShare = 0.002;

/** The items in their order, then those that share an ambiguous word. */
export function nameOwners({ items, itemById, ambiguous }: Catalogue): NameOwner[] {
  const own = items.map((item) => ({ item, share: 1, words: [], shared: undefined }));
  const sharing = ambiguous.flatMap(({ words: { ko, en }, items: ids }) => {
    const shared = [...ko, ...en];
    const words = shared.map(compact);
    return ids.flatMap((id, index) => {
      const item = itemById.get(id);
      return item === undefined ? [] : [{ item, share: 1 - laterShare * index, words, shared }];
    });
  });
  return [...own, ...sharing];
}

/** What a name stands for: as it is written (glasses are no glass), else by its stems. */
export function lookUp(book: NameBook, written: string, stems: string): readonly Named[] {
  const { places, asWritten, byStems, lists } = book;
  return lists[numberOf(written, places, asWritten) || numberOf(stems, places, byStems)] ?? [];
}

/** The number that stands for a word among numbers for each word; 0 for an unknown one. */
export function numberOf(word: string, places: ReadonlyMap<string, number>, numbers: Uint16Array): number {
  const place = places.get(word);
  return place === undefined ? 0 : (numbers[place] ?? 0);
}
