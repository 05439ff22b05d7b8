import type { Item } from './schema.ts';
import { compact, normalise, stem } from './words.ts';

/** An item that a name stands for. */
export interface Named {
  readonly item: Item;
  /** 1; a little less for the later ones of the items that share an ambiguous word, so that their order is kept. */
  readonly share: number;
  /** Compact words that mean the same, where it is one that several items share. */
  readonly words: readonly string[];
}

/** The names of all items, to be found by their spelling alone. */
export interface NameBook {
  readonly asWritten: ReadonlyMap<string, readonly Named[]>;
  readonly byStems: ReadonlyMap<string, readonly Named[]>;
  /** Letters of the longest name. */
  readonly longest: number;
}

/** Collects the names of items, whatever their spaces, case and plurals. */
export function bookNames(owners: readonly (Named & { readonly names: readonly string[] })[]): NameBook {
  const [asWritten, byStems] = [new Map<string, Named[]>(), new Map<string, Named[]>()];
  for (const { item, share, words, names } of owners) {
    for (const name of names) {
      const pieces = normalise(name).split(/[^\p{L}\p{N}]+/u);
      enter(asWritten, compact(pieces.join('')), { item, share, words });
      enter(byStems, compact(pieces.map(stem).join('')), { item, share, words });
    }
  }
  return { asWritten, byStems, longest: Math.max(0, ...[...byStems.keys()].map(({ length }) => length)) };
}

function enter(book: Map<string, Named[]>, key: string, named: Named): void {
  if (key === '') return;
  const others = book.get(key) ?? [];
  if (!others.some(({ item }) => item === named.item)) book.set(key, [...others, named]);
}

/** What a name stands for: as it is written (glasses are no glass), else by its stems. */
export function lookUp({ asWritten, byStems }: NameBook, written: string, stems: string): readonly Named[] {
  return asWritten.get(written) ?? byStems.get(stems) ?? [];
}
