import type { Catalogue } from './catalogue.ts';
import { closest, collectSpellings, type Spellings } from './jamo.ts';
import { bookNames, type NameBook } from './names.ts';
import { makeWordReader, type WordReader } from './reader.ts';
import { makeRoleReader, type RoleReader } from './roles.ts';
import { makeRunReader, type RunReader } from './runs.ts';
import type { Item } from './schema.ts';
import { allStems, bigrams, compact, hangulWords, nounForms, stem } from './words.ts';

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

/** A word that stands in the rules of more items than this says nothing about any of them. */
const maxRuleItems = 3;
const laterShare = 0.002;

/** Builds what `search` looks up. Takes about half a second of processor time: once a process. */
export function buildIndex({ items, itemById, ambiguous, phrasing }: Catalogue): SearchIndex {
  const idle = new Set(phrasing.noise.words.en);
  const named = [
    ...items.map((item) => ({ item, share: 1, words: [], names: [...rightNames(item), ...wrongNames(item)] })),
    ...ambiguous.flatMap(({ words, items: ids }) =>
      ids.flatMap((id, index) => {
        const item = itemById.get(id);
        return item === undefined ? [] : [ambiguousName(item, index, [...words.ko, ...words.en])];
      }),
    ),
  ].map((each) => ({ ...each, lists: tokenLists(each.names, idle) }));

  const owners = new Map<string, Set<Item>>();
  for (const { item, lists } of named) {
    for (const token of lists.flat()) owners.set(token, (owners.get(token) ?? new Set()).add(item));
  }
  const weights = new Map([...owners].map(([token, { size }]) => [token, Math.log(1 + items.length / size)]));
  const postings = new Map<string, Variant[]>();
  for (const { item, share, lists } of named) {
    for (const tokens of lists) {
      const weight = tokens.reduce((sum, token) => sum + (weights.get(token) ?? 0), 0);
      const variant = { item, tokens, weight, share };
      for (const token of tokens) {
        const variants = postings.get(token);
        if (variants) variants.push(variant);
        else postings.set(token, [variant]);
      }
    }
  }
  const rightlyNamed = [...items.flatMap(rightNames), ...ambiguousWords(ambiguous)];
  const nameKeys = new Set(
    rightlyNamed.map((name) =>
      compact(
        name
          .split(/[^\p{L}\p{N}]+/u)
          .map(stem)
          .join(''),
      ),
    ),
  );
  const right = new Set(rightlyNamed.flatMap(wordsOf));
  // A misspelling that is one slip away from a word is mended to that word; others are words of their own.
  const spellings = collectSpellings(right);
  const wrong = items.flatMap(wrongNames).flatMap(wordsOf);
  const known = new Set([...right, ...wrong.filter((word) => closest(spellings, word) === undefined)]);
  return {
    postings: postings,
    weights,
    unknownWeight: Math.log(1 + items.length),
    known,
    spellings,
    ruleWords: indexRules(items, known),
    read: makeWordReader(phrasing, nameKeys),
    book: bookNames(named),
    readRuns: makeRunReader(phrasing),
    readRoles: makeRoleReader(phrasing),
    wordsOf: new Map(items.map((item) => [item, wordsAbout(item, phrasing)])),
  };
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

function ambiguousWords(ambiguous: Catalogue['ambiguous']): string[] {
  return ambiguous.flatMap(({ words }) => [...words.ko, ...words.en]);
}

function ambiguousName(item: Item, place: number, names: readonly string[]) {
  return { item, share: 1 - laterShare * place, words: names.map(compact), names };
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
function wordsOf(name: string): string[] {
  const hangul = hangulWords(name);
  const stems = allStems(name);
  return [compact(name), hangul.join(''), stems.join(''), ...hangul, ...stems].filter((word) => word !== '');
}

/** Prohibitions and confusions are left out: they name what the item is not. */
function indexRules(items: readonly Item[], known: ReadonlySet<string>): Map<string, Item[]> {
  const owners = new Map<string, Set<Item>>();
  for (const item of items) {
    for (const { kind, text } of item.rules) {
      if (kind === 'prohibition' || kind === 'confusion') continue;
      for (const word of [...hangulWords(text.ko).flatMap(nounForms), ...allStems(text.en)]) {
        if (word.length < 2 || known.has(word)) continue;
        owners.set(word, (owners.get(word) ?? new Set()).add(item));
      }
    }
  }
  return new Map(
    [...owners].flatMap(([word, { size }]) => (size > maxRuleItems ? [] : [[word, [...(owners.get(word) ?? [])]]])),
  );
}
