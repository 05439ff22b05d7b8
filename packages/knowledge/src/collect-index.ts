import type { Catalogue } from './catalogue.ts';
import { gatherTokens, numberTokens, type CollectedTokens } from './collect-tokens.ts';
import { closest, collectSpellings } from './jamo.ts';
import { nameOwners, type NameOwner } from './names.ts';
import type { Item } from './schema.ts';
import { allStems, bigrams, compact, hangulWords, normalise, nounForms, stem } from './words.ts';

/**
 * All that the search index is made from, as plain data: reading the names and rules takes half a second of processor
 * time, which a bundle spends when it is built. It is shaped for the start of a process, which has to parse it: few long
 * lists of numbers instead of many short ones. Numbers are places in `words` or in one of the other lists.
 */
export interface CollectedIndex {
  /** Of the catalogue that it was collected from. */
  readonly version: string;
  /** Every word once; "for each word" means in this order. */
  readonly words: readonly string[];
  /** The first so many words are names of items in one run of stems. */
  readonly nameCount: number;
  /** From this place to before that one stand the words by which those of a question are known. */
  readonly known: readonly [from: number, to: number];
  /** Those that are spelled rightly: beginnings and ends of words, and for each of them the words. */
  readonly spellings: { readonly ends: readonly string[]; readonly words: readonly (readonly number[])[] };
  readonly tokens: CollectedTokens;
  /** Lists of owners of names; the first is empty. */
  readonly lists: readonly (readonly number[])[];
  /** For each word the list of those for whom it stands: as it is written, and as stems. */
  readonly asWritten: readonly number[];
  readonly byStems: readonly number[];
  /** Letters of the longest name in stems. */
  readonly longest: number;
  /** For each word that stands only in rules, the list of the few items whose rules have it. Items come first among owners. */
  readonly ruleWords: readonly number[];
  /** Words of the names and materials of each item. */
  readonly wordsOf: readonly (readonly number[])[];
}

/** A word that stands in the rules of more items than this says nothing about any of them. */
const maxRuleItems = 3;
/** A process keeps the numbers in two bytes each. */
const maxPlaces = 2 ** 16;

/**
 * Reads all names and rules. Takes about half a second of processor time.
 *
 * @throws RangeError for more words or names than a process can number.
 */
export function collectIndex(catalogue: Catalogue): CollectedIndex {
  const { right, spellings, known, names, tokens, asWritten, byStems, ruleWords, wordsOf } = gather(catalogue);
  const rest = [tokens.postings, asWritten, byStems, ruleWords].flatMap((each) => [...each.keys()]);
  // Those that are both stand where the names end and the known ones begin: no word needs a mark of what it is.
  const unknownNames = [...names].filter((name) => !known.has(name));
  const words = [...new Set([...unknownNames, ...names, ...known, ...rest, ...wordsOf.flat()])];
  const places = new Map(words.map((word, place) => [word, place]));
  const placesOf = (some: readonly string[]) => some.flatMap((word) => places.get(word) ?? []);
  const lists = numberLists();
  const collected = {
    version: catalogue.version,
    words,
    nameCount: names.size,
    known: [unknownNames.length, unknownNames.length + known.size] as const,
    spellings: {
      ends: [...spellings.ends.keys()],
      words: spellings.wordsWith.map((numbers) => placesOf(numbers.map((number) => right[number] ?? ''))),
    },
    tokens: numberTokens(tokens, words),
    asWritten: words.map((word) => lists.place(asWritten.get(word))),
    byStems: words.map((word) => lists.place(byStems.get(word))),
    longest: [...byStems.keys()].reduce((most, { length }) => Math.max(most, length), 0),
    ruleWords: words.map((word) => lists.place(ruleWords.get(word))),
    wordsOf: wordsOf.map(placesOf),
    lists: lists.all(),
  };
  const numbered = [words, collected.lists, collected.tokens.owners, collected.tokens.weights];
  const most = Math.max(...numbered.map(({ length }) => length));
  if (most > maxPlaces) throw new RangeError(`A list of the index has ${most} entries, and numbers for ${maxPlaces}.`);
  return collected;
}

/** All that the index is made from, still as words. */
function gather(catalogue: Catalogue) {
  const { items, ambiguous, phrasing } = catalogue;
  const owners = nameOwners(catalogue);
  const named = owners.map(({ item, shared }) => shared ?? [...rightNames(item), ...wrongNames(item)]);
  const idle = new Set(phrasing.noise.words.en);
  const rightlyNamed = [...items.flatMap(rightNames), ...ambiguous.flatMap(({ words: { ko, en } }) => [...ko, ...en])];
  const right = [...new Set(rightlyNamed.flatMap(spellingsOf))];
  // A misspelling that is one slip away from a word is mended to that word; others are words of their own.
  const spellings = collectSpellings(right);
  const wrong = items.flatMap(wrongNames).flatMap(spellingsOf);
  const known = new Set([...right, ...wrong.filter((word) => closest(spellings, word) === undefined)]);
  const tokenNames = named.map((each) => tokenLists(each, idle));
  return {
    right,
    spellings,
    known,
    names: new Set(rightlyNamed.map(stemsOf)),
    tokens: gatherTokens(owners, tokenNames, items.length),
    asWritten: collectNames(owners, named, (name) => compact(pieces(name).join(''))),
    byStems: collectNames(owners, named, stemsOf),
    ruleWords: collectRules(items, known),
    wordsOf: items.map((item) => [...wordsAbout(item, phrasing)]),
  };
}

/** Numbers lists of numbers, equal ones alike; nothing, and the empty list, is 0. */
function numberLists() {
  const known = new Map<string, { readonly place: number; readonly list: readonly number[] }>();
  const place = (list: readonly number[] = []): number => {
    const key = list.join(' ');
    const entry = known.get(key) ?? { place: known.size, list };
    known.set(key, entry);
    return entry.place;
  };
  place();
  return { place, all: () => [...known.values()].map(({ list }) => list) };
}

/** Words of the names, and those for the materials, by which one of several items with the same name is told. */
function wordsAbout(item: Item, { substances }: Catalogue['phrasing']): Set<string> {
  const made = substances.filter(({ materials }) => materials.some((each) => item.materials.includes(each)));
  return new Set([
    ...rightNames(item).flatMap((name) => [...hangulWords(name), ...allStems(name)]),
    ...made.flatMap(({ words }) => [...words.ko, ...words.en].map(compact)),
  ]);
}

/** Every name; a Korean name such as "CD·비디오테이프" also counts by each of its parts. */
function rightNames({ names, aliases }: Item): string[] {
  return [names.ko, names.en, ...aliases.ko, ...aliases.en, ...names.ko.split(/[·()]/)];
}

function wrongNames({ misspellings = { ko: [], en: [] } }: Item): string[] {
  return [...misspellings.ko, ...misspellings.en];
}

function pieces(name: string): string[] {
  return normalise(name).split(/[^\p{L}\p{N}]+/u);
}

/** A name in one run of stems. */
function stemsOf(name: string): string {
  return compact(pieces(name).map(stem).join(''));
}

/** What is looked up of a name: Hangul letter pairs and Latin stems; several stems also in one word (powerbank). */
function tokenLists(names: readonly string[], idle: ReadonlySet<string>): string[][] {
  const lists = names.flatMap((name) => {
    // Hangul on both sides of a Latin word does not meet.
    const hangul = name.split(/[a-z0-9]+/i).flatMap((part) => bigrams(hangulWords(part).join('')));
    const stems = allStems(name);
    const telling = stems.filter((word) => !idle.has(word));
    return [stems, ...(telling.length > 0 && telling.length < stems.length ? [telling] : [])].flatMap((latin) => {
      const tokens = [...new Set([...hangul, ...latin])];
      return latin.length > 1 && hangul.length === 0 ? [tokens, [latin.join('')]] : [tokens];
    });
  });
  const distinct = new Map(lists.map((tokens) => [tokens.join(' '), tokens]));
  distinct.delete('');
  return [...distinct.values()];
}

/** The spellings by which a word of a question is known: the name in one run, and its words. */
function spellingsOf(name: string): string[] {
  const hangul = hangulWords(name);
  const stems = allStems(name);
  return [compact(name), hangul.join(''), stems.join(''), ...hangul, ...stems].filter((word) => word !== '');
}

/** The keys of all names with the numbers of their owners, each item once. */
function collectNames(
  owners: readonly NameOwner[],
  named: readonly (readonly string[])[],
  keyOf: (name: string) => string,
): Map<string, number[]> {
  const book = new Map<string, number[]>();
  for (const [number, { item }] of owners.entries()) {
    for (const name of named[number] ?? []) {
      const key = keyOf(name);
      if (key === '') continue;
      const others = book.get(key);
      if (others === undefined) book.set(key, [number]);
      else if (!others.some((other) => owners[other]?.item === item)) others.push(number);
    }
  }
  return book;
}

/** Prohibitions and confusions are left out: they name what the item is not. */
function collectRules(items: readonly Item[], known: ReadonlySet<string>): Map<string, number[]> {
  const owners = new Map<string, Set<number>>();
  for (const [number, item] of items.entries()) {
    for (const { kind, text } of item.rules) {
      if (kind === 'prohibition' || kind === 'confusion') continue;
      for (const word of [...hangulWords(text.ko).flatMap(nounForms), ...allStems(text.en)]) {
        if (word.length < 2 || known.has(word)) continue;
        owners.set(word, (owners.get(word) ?? new Set()).add(number));
      }
    }
  }
  const few = [...owners].filter(([, { size }]) => size <= maxRuleItems);
  return new Map(few.map(([word, numbers]) => [word, [...numbers]]));
}
