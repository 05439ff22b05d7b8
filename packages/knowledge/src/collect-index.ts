import type { Catalogue } from './catalogue.ts';
import { closest, collectSpellings } from './jamo.ts';
import type { Item } from './schema.ts';
import { allStems, bigrams, compact, hangulWords, normalise, nounForms, stem } from './words.ts';

/**
 * All that the search index is made from, as plain data: reading the names and rules takes half a second of processor
 * time, which a bundle spends when it is built. Numbers are places in `words`, or in the lists of items and owners.
 */
export interface CollectedIndex {
  /** Of the catalogue that it was collected from. */
  readonly version: string;
  readonly words: readonly string[];
  /** For each owner of names, its names as lists of tokens. */
  readonly names: readonly (readonly (readonly number[])[])[];
  /** Words by which those of a question are known; the first `right` of them are spelled rightly. */
  readonly known: readonly number[];
  readonly right: number;
  /** Names of items in one run of stems. */
  readonly nameKeys: readonly number[];
  /** Names as they are written, and by their stems, each with the owners that it stands for. */
  readonly asWritten: readonly (readonly number[])[];
  readonly byStems: readonly (readonly number[])[];
  /** Words that stand only in rules, each with the few items whose rules have it. */
  readonly ruleWords: readonly (readonly number[])[];
  /** Words of the names and materials of each item. */
  readonly wordsOf: readonly (readonly number[])[];
}

/** Who has names: an item, or one of the items that an ambiguous word may stand for. */
export interface NameOwner {
  readonly item: Item;
  /** 1; a little less for the later ones of the items that share an ambiguous word, so that their order is kept. */
  readonly share: number;
  /** Compact words that mean the same, where it is one that several items share. */
  readonly words: readonly string[];
  readonly names: readonly string[];
}

/** A word that stands in the rules of more items than this says nothing about any of them. */
const maxRuleItems = 3;
const laterShare = 0.002;

/** The items in their order, then those that share an ambiguous word. */
export function nameOwners({ items, itemById, ambiguous }: Catalogue): NameOwner[] {
  const shared = ambiguous.flatMap(({ words, items: ids }) => {
    const names = [...words.ko, ...words.en];
    return ids.flatMap((id, index) => {
      const item = itemById.get(id);
      return item === undefined ? [] : [{ item, share: 1 - laterShare * index, words: names.map(compact), names }];
    });
  });
  return [
    ...items.map((item) => ({ item, share: 1, words: [], names: [...rightNames(item), ...wrongNames(item)] })),
    ...shared,
  ];
}

/** Reads all names and rules. Takes about half a second of processor time. */
export function collectIndex(catalogue: Catalogue): CollectedIndex {
  const { items, ambiguous, phrasing } = catalogue;
  const owners = nameOwners(catalogue);
  const places = new Map<string, number>();
  const place = (word: string): number => {
    const known = places.get(word);
    if (known !== undefined) return known;
    places.set(word, places.size);
    return places.size - 1;
  };
  const idle = new Set(phrasing.noise.words.en);
  const rightlyNamed = [...items.flatMap(rightNames), ...ambiguous.flatMap(({ words }) => [...words.ko, ...words.en])];
  const right = new Set(rightlyNamed.flatMap(spellingsOf));
  // A misspelling that is one slip away from a word is mended to that word; others are words of their own.
  const spellings = collectSpellings(right);
  const wrong = items.flatMap(wrongNames).flatMap(spellingsOf);
  const known = new Set([...right, ...wrong.filter((word) => closest(spellings, word) === undefined)]);
  const collected = {
    names: owners.map(({ names }) => tokenLists(names, idle).map((tokens) => tokens.map(place))),
    known: [...known].map(place),
    right: right.size,
    nameKeys: [...new Set(rightlyNamed.map((name) => compact(pieces(name).map(stem).join(''))))].map(place),
    asWritten: collectNames(owners, (name) => compact(pieces(name).join('')), place),
    byStems: collectNames(owners, (name) => compact(pieces(name).map(stem).join('')), place),
    ruleWords: collectRules(items, known).map(([word, numbers]) => [place(word), ...numbers]),
    wordsOf: items.map((item) => [...wordsAbout(item, phrasing)].map(place)),
  };
  return { version: catalogue.version, words: [...places.keys()], ...collected };
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

/** The keys of all names with their owners, each item once. */
function collectNames(
  owners: readonly NameOwner[],
  keyOf: (name: string) => string,
  place: (word: string) => number,
): number[][] {
  const book = new Map<string, number[]>();
  for (const [number, { item, names }] of owners.entries()) {
    for (const name of names) {
      const key = keyOf(name);
      if (key === '') continue;
      const others = book.get(key);
      if (others === undefined) book.set(key, [number]);
      else if (!others.some((other) => owners[other]?.item === item)) others.push(number);
    }
  }
  return [...book].map(([key, numbers]) => [place(key), ...numbers]);
}

/** Prohibitions and confusions are left out: they name what the item is not. */
function collectRules(items: readonly Item[], known: ReadonlySet<string>): [string, number[]][] {
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
  return [...owners].flatMap(([word, numbers]): [string, number[]][] =>
    numbers.size > maxRuleItems ? [] : [[word, [...numbers]]],
  );
}
