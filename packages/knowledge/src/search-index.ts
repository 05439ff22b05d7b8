import type { Catalogue } from './catalogue.ts';
import { collectIndex, nameOwners, type CollectedIndex } from './collect-index.ts';
import { collectSpellings, type Spellings } from './jamo.ts';
import type { NameBook, Named } from './names.ts';
import { makeWordReader, type WordReader } from './reader.ts';
import { makeRoleReader, type RoleReader } from './roles.ts';
import { makeRunReader, type RunReader } from './runs.ts';
import type { Item } from './schema.ts';

/** One name of an item as tokens, with the sum of their weights. */
export interface Variant {
  readonly item: Item;
  readonly tokens: readonly string[];
  readonly weight: number;
  /** 1; a little less for the later ones of the items that share an ambiguous word, so that their order is kept. */
  readonly share: number;
}

/** Names, aliases and misspellings by their tokens, and words that stand only in rules. */
export interface SearchIndex {
  readonly postings: ReadonlyMap<string, readonly Variant[]>;
  /** Of each token: the fewer items have it, the heavier. */
  readonly weights: ReadonlyMap<string, number>;
  /** Of a word that no item has: as much as one that a single item has. */
  readonly unknownWeight: number;
  /** Folded names without spaces, and the words of names. */
  readonly known: ReadonlySet<string>;
  /** The longer ones of them, to be found in spite of a slip. */
  readonly spellings: Spellings;
  /** Words of steps, conditions and exceptions that are in no name, with the few items whose rules have them. */
  readonly ruleWords: ReadonlyMap<string, readonly Item[]>;
  readonly read: WordReader;
  readonly book: NameBook;
  readonly readRuns: RunReader;
  readonly readRoles: RoleReader;
  /** Words of the names and materials of an item. */
  readonly wordsOf: ReadonlyMap<Item, ReadonlySet<string>>;
}

/**
 * Builds what `search` looks up. Throws where `collected` is of another catalogue.
 * @param collected what was collected earlier, which saves most of the time.
 */
export function buildIndex(catalogue: Catalogue, collected: CollectedIndex = collectIndex(catalogue)): SearchIndex {
  const { items, phrasing, version } = catalogue;
  if (collected.version !== version) {
    throw new Error(`The index is of the catalogue ${collected.version}, not of ${version}: build the bundle again.`);
  }
  const { words, known, right } = collected;
  const wordAt = (place: number): string => words[place] ?? '';
  const texts = (places: readonly number[]): string[] => places.map(wordAt);
  const itemsAt = (numbers: readonly number[]): Item[] => numbers.flatMap((number) => items[number] ?? []);
  const owners: readonly Named[] = nameOwners(catalogue).map(({ item, share, words: same }) => ({
    item,
    share,
    words: same,
  }));
  return {
    ...weighNames(owners, collected, items.length),
    unknownWeight: Math.log(1 + items.length),
    known: new Set(texts(known)),
    spellings: collectSpellings(texts(known.slice(0, right))),
    ruleWords: new Map(collected.ruleWords.map(([word = 0, ...numbers]) => [wordAt(word), itemsAt(numbers)])),
    read: makeWordReader(phrasing, new Set(texts(collected.nameKeys))),
    book: openBook(owners, collected, wordAt),
    readRuns: makeRunReader(phrasing),
    readRoles: makeRoleReader(phrasing),
    wordsOf: new Map(items.map((item, number) => [item, new Set(texts(collected.wordsOf[number] ?? []))])),
  };
}

/** The names by their tokens. */
function weighNames(
  owners: readonly Named[],
  { names, words }: CollectedIndex,
  itemCount: number,
): Pick<SearchIndex, 'postings' | 'weights'> {
  const havers = new Map<number, Set<Item>>();
  for (const [number, { item }] of owners.entries()) {
    for (const token of (names[number] ?? []).flat()) {
      const known = havers.get(token);
      if (known) known.add(item);
      else havers.set(token, new Set([item]));
    }
  }
  const weights = new Map<string, number>();
  const postings = new Map<string, Variant[]>();
  for (const [token, { size }] of havers) {
    const word = words[token] ?? '';
    weights.set(word, Math.log(1 + itemCount / size));
    postings.set(word, []);
  }
  for (const [number, { item, share }] of owners.entries()) {
    for (const list of names[number] ?? []) {
      const tokens = list.map((token) => words[token] ?? '');
      const weight = tokens.reduce((sum, token) => sum + (weights.get(token) ?? 0), 0);
      const variant = { item, tokens, weight, share };
      for (const token of tokens) postings.get(token)?.push(variant);
    }
  }
  return { postings, weights };
}

function openBook(
  owners: readonly Named[],
  { asWritten, byStems }: CollectedIndex,
  wordAt: (place: number) => string,
): NameBook {
  // Most names stand for one item alone: all of these share a list.
  const alone = owners.map((owner) => [owner]);
  const open = (entries: CollectedIndex['byStems']) =>
    new Map<string, readonly Named[]>(
      entries.map(([key = 0, first = 0, ...others]) => [
        wordAt(key),
        others.length === 0 ? (alone[first] ?? []) : [first, ...others].flatMap((number) => owners[number] ?? []),
      ]),
    );
  const book = { asWritten: open(asWritten), byStems: open(byStems) };
  return { ...book, longest: [...book.byStems.keys()].reduce((most, { length }) => Math.max(most, length), 0) };
}
