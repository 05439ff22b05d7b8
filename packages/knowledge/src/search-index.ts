import type { Catalogue } from './catalogue.ts';
import { collectIndex, type CollectedIndex } from './collect-index.ts';
import type { Spellings } from './jamo.ts';
import { readTokens, type NameTokens } from './name-tokens.ts';
import { nameOwners, numberOf, type NameBook, type Named } from './names.ts';
import { makeWordReader, type WordReader } from './reader.ts';
import { makeRoleReader, type RoleReader } from './roles.ts';
import { makeRunReader, type RunReader } from './runs.ts';
import type { Item } from './schema.ts';
import { whenAsked } from './when-asked.ts';

/** Names, aliases and misspellings by their tokens, and words that stand only in rules. */
export interface SearchIndex {
  readonly tokens: NameTokens;
  /** Of a word that no item has: as much as one that a single item has. */
  readonly unknownWeight: number;
  /** Whether a word is a folded name without spaces, or a word of a name. */
  readonly isKnown: (word: string) => boolean;
  /** The longer ones of them that are spelled rightly, to be found in spite of a slip. */
  readonly spellings: Spellings;
  /** For a word of steps, conditions and exceptions that is in no name: the few owners of names whose rules have it. */
  readonly ruledBy: (word: string) => readonly Named[];
  readonly read: WordReader;
  readonly book: NameBook;
  readonly readRuns: RunReader;
  readonly readRoles: RoleReader;
  /** Whether a word is one of the names or materials of an item. */
  readonly isAbout: (item: Item, word: string) => boolean;
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
  const { words, nameCount, spellings, wordsOf } = collected;
  const places = placesOf(words);
  const isWithin = (word: string, from: number, to: number): boolean => {
    const place = places.get(word);
    return place !== undefined && place >= from && place < to;
  };
  const [knownFrom, knownTo] = collected.known;
  const owners = nameOwners(catalogue);
  const lists = collected.lists.map((numbers) => numbers.flatMap((number) => owners[number] ?? []));
  const ruleWords = new Uint16Array(collected.ruleWords);
  const about = new Map(items.map((item, number) => [item, wordsOf[number]]));
  return {
    tokens: readTokens(collected.tokens, places, owners),
    unknownWeight: Math.log(1 + items.length),
    isKnown: (word) => isWithin(word, knownFrom, knownTo),
    spellings: { words, ends: placesOf(spellings.ends), wordsWith: spellings.words },
    ruledBy: (word) => lists[numberOf(word, places, ruleWords)] ?? [],
    read: whenAsked(() => makeWordReader(phrasing, (word) => isWithin(word, 0, nameCount))),
    book: {
      places,
      lists,
      asWritten: new Uint16Array(collected.asWritten),
      byStems: new Uint16Array(collected.byStems),
      longest: collected.longest,
    },
    readRuns: whenAsked(() => makeRunReader(phrasing)),
    readRoles: whenAsked(() => makeRoleReader(phrasing)),
    isAbout: (item, word) => about.get(item)?.includes(places.get(word) ?? -1) === true,
  };
}

/** In a loop: a list of pairs for `new Map` is tens of thousands of objects that a start has to make and clear away. */
function placesOf(words: readonly string[]): Map<string, number> {
  const places = new Map<string, number>();
  for (let place = 0; place < words.length; place++) places.set(words[place] ?? '', place);
  return places;
}
