import { closest, isSyllable } from './jamo.ts';
import { link } from './link.ts';
import type { Item } from './schema.ts';
import type { SearchIndex } from './search-index.ts';
import type { Word } from './reader.ts';
import { bigrams, nounForms } from './words.ts';

export interface SearchHit {
  readonly item: Item;
  /** 1: the query is one of the item's names; 0: nothing in common. */
  readonly score: number;
}

interface SearchOptions {
  readonly limit: number;
  /** Words that no item has lower the score: right for a name (고양이 모래 is not 모래), too hard for a whole question. */
  readonly strict?: boolean;
}

/** A word as it is looked up. */
interface Term {
  readonly text: string;
  /** Words of one phrase are about one thing, and the last of them is what it is: 유리병 뚜껑 is a lid. */
  readonly phrase: number;
  readonly attribute: boolean;
  /** It stood next to the word before it. */
  readonly adjoins: boolean;
  /** Less than 1 where a slip of the pen was mended. */
  readonly trust: number;
  readonly isKnown: boolean;
}

/** What a name has in common with the query. */
interface Shared {
  readonly phrases: Set<number>;
  common: number;
  lastTerm: number;
}

/** Who writes more tells a story: the thing stands at its beginning. */
const maxTerms = 40;
const mendedTrust = 0.9;
/** Of a word in a question that no item has, beside one that it has. */
const unknownShare = 0.3;
/** A name that is not the last of its phrase says more about the thing, and is not it. */
const modifierPlace = 0.85;
const attributePlace = 0.8;
/** What is named first is mostly what the question is about. */
const laterPlace = 0.02;
/** For what is not named, where the thing is. */
const besideScore = 0.6;
/** For what is named besides the thing. */
const mentionedScore = 0.66;
/** A word of a rule finds an item, but never beats a name. */
const ruleScore = 0.45;

/**
 * Items whose names share words with the query, best first. A name scores by how much of it the query holds, and half of
 * that again by how much of its phrase it explains, so that 유리병 beats 유리.
 */
export function search(index: SearchIndex, query: string, { limit, strict = false }: SearchOptions): SearchHit[] {
  const terms = toTerms(index, index.read(query).slice(0, maxTerms), strict);
  const totals = phraseTotals(index, terms, strict);
  const best = new Map<Item, number>();
  const { tokens } = index;
  for (const [variant, shared] of shareTokens(index, terms)) {
    const owner = tokens.ownerOf(variant);
    if (owner === undefined) continue;
    const total = [...shared.phrases].reduce((sum, phrase) => sum + (totals.get(phrase) ?? 0), 0);
    const explained = total === 0 ? 1 : Math.min(1, shared.common / total);
    const covered = Math.min(1, shared.common / tokens.totalOf(variant));
    const score = covered * (0.5 + 0.5 * explained) * owner.share * placeOf(terms, shared);
    // Sums of the same weights in another order differ in the last digit.
    const rounded = Math.round(score * 1e6) / 1e6;
    best.set(owner.item, Math.max(rounded, best.get(owner.item) ?? 0));
  }
  for (const { item, score } of ruleHits(index, terms)) best.set(item, Math.max(score, best.get(item) ?? 0));
  if (!strict) preferNamed(index, query, best);
  return [...best]
    .map(([item, score]) => ({ item, score }))
    .toSorted(byScore)
    .slice(0, limit);
}

/** What the question clearly names as its thing comes before what merely shares words with it. */
function preferNamed(index: SearchIndex, query: string, best: Map<Item, number>): void {
  const linked = link(index, query);
  if (linked === undefined) return;
  const { things, mentioned, isClear, isAside } = linked;
  for (const [item, score] of best) {
    if (isClear && !things.has(item)) best.set(item, Math.min(score, besideScore));
  }
  for (const item of mentioned) best.set(item, Math.max(mentionedScore, best.get(item) ?? 0));
  const isShared = things.size > 1 || isAside;
  for (const [item, score] of things) best.set(item, isShared ? score : Math.max(score, best.get(item) ?? 0));
}

/** Best first; equal scores by id, so that the order never depends on the data's. */
export function byScore(a: SearchHit, b: SearchHit): number {
  return b.score - a.score || (a.item.id < b.item.id ? -1 : 1);
}

/** Takes off particles, mends slips, and ends a phrase where a particle does; a name given by itself is one phrase. */
function toTerms(index: SearchIndex, words: readonly Word[], isName: boolean): Term[] {
  let phrase = -1;
  let ended = true;
  return words.map((word, position) => {
    const adjoins = position > 0 && words[position - 1]?.phrase === word.phrase && !ended;
    if (!adjoins && (!isName || position === 0)) phrase++;
    const { text, trust, particle } = known(index, word.text);
    ended = particle;
    return { text, phrase, attribute: word.attribute, adjoins, trust, isKnown: index.isKnown(text) };
  });
}

function known(index: SearchIndex, word: string): { text: string; trust: number; particle: boolean } {
  const forms = isSyllable(word) ? nounForms(word) : [word];
  const exact = forms.find(index.isKnown);
  if (exact !== undefined) return { text: exact, trust: 1, particle: exact !== word };
  for (const form of forms) {
    const mended = closest(index.spellings, form);
    if (mended !== undefined) return { text: mended, trust: mendedTrust, particle: form !== word };
  }
  const [, bare] = forms;
  return { text: bare !== undefined && bare.length > 1 ? bare : word, trust: 1, particle: bare !== undefined };
}

function tokensOf(text: string): string[] {
  return isSyllable(text) ? bigrams(text) : [text];
}

/** Weight of each phrase: what a name would have to explain of it. */
function phraseTotals(index: SearchIndex, terms: readonly Term[], strict: boolean): Map<number, number> {
  const totals = new Map<number, number>();
  const counted = new Set<string>();
  for (const { text, phrase } of terms) {
    if (counted.has(text)) continue;
    counted.add(text);
    const weights = tokensOf(text).map((token) => index.tokens.weightOf(token));
    const isUnknown = weights.every((weight) => weight === undefined);
    const missing = strict ? index.unknownWeight : 0;
    const sum = weights.reduce<number>((total, weight) => total + (weight ?? missing), 0);
    const added = isUnknown && !strict ? unknownShare * index.unknownWeight : sum;
    totals.set(phrase, (totals.get(phrase) ?? 0) + added);
  }
  return totals;
}

/** By the number of the variant. */
function shareTokens({ tokens }: SearchIndex, terms: readonly Term[]): Map<number, Shared> {
  const shared = new Map<number, Shared>();
  const seen = new Set<string>();
  const add = (token: string, at: number, alone: boolean, trust: number) => {
    if (seen.has(token)) return;
    seen.add(token);
    const { phrase = 0 } = terms[at] ?? {};
    const weight = tokens.weightOf(token) ?? 0;
    for (const variant of tokens.variantsWith(token)) {
      if (!alone && tokens.isSingle(variant)) continue;
      const entry = shared.get(variant) ?? { phrases: new Set([phrase]), common: 0, lastTerm: at };
      entry.phrases.add(phrase);
      entry.common += weight * trust;
      entry.lastTerm = Math.max(entry.lastTerm, at);
      shared.set(variant, entry);
    }
  };
  for (const [at, { text, trust }] of terms.entries()) for (const token of tokensOf(text)) add(token, at, true, trust);
  for (const [at, { text, adjoins }] of terms.entries()) {
    const before = terms[at - 1];
    if (before === undefined || !adjoins) continue;
    const isHangul = isSyllable(text) && isSyllable(before.text);
    // Letters that meet across a space make 우유 팩 the same as 우유팩, but are no word alone: 이거 울퉁불퉁 has no 거울.
    const token = isHangul ? `${before.text.slice(-1)}${text.slice(0, 1)}` : `${before.text}${text}`;
    add(token, at, !isHangul || (before.text.length === 1 && text.length === 1), 1);
  }
  return shared;
}

function placeOf(terms: readonly Term[], { phrases, lastTerm }: Shared): number {
  const term = terms[lastTerm];
  const isHead = !terms.slice(lastTerm + 1).some(({ phrase, isKnown }) => isKnown && phrase === term?.phrase);
  const first = Math.min(...phrases);
  const order = 1 - Math.min(3, first) * laterPlace;
  return order * (isHead ? 1 : modifierPlace) * (term?.attribute === true ? attributePlace : 1);
}

function ruleHits(index: SearchIndex, terms: readonly Term[]): SearchHit[] {
  const all = new Set(terms.map(({ text }) => text));
  const found = new Map<Item, number>();
  for (const word of all) {
    for (const { item } of index.ruledBy(word)) found.set(item, (found.get(item) ?? 0) + 1);
  }
  return [...found].map(([item, count]) => ({ item, score: (ruleScore * (count + 1)) / (all.size + 1) }));
}
