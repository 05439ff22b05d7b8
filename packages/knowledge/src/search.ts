import type { Item } from './schema.ts';
import { latinStems, nameTokens, queryTokens } from './words.ts';

/** One name of an item as tokens, with the sum of their weights. */
interface Variant {
  readonly item: Item;
  readonly tokens: readonly string[];
  readonly weight: number;
}

/** Names and aliases by their tokens. */
export interface SearchIndex {
  readonly postings: ReadonlyMap<string, readonly Variant[]>;
  /** Of each token: the fewer items have it, the heavier. */
  readonly weights: ReadonlyMap<string, number>;
  /** Of a word that no item has, in a strict search: as much as one that a single item has. */
  readonly unknownWeight: number;
}

export interface SearchHit {
  readonly item: Item;
  /** 1: the query is one of the item's names; 0: nothing in common. */
  readonly score: number;
}

interface SearchOptions {
  readonly limit: number;
  /** Words that no item has lower the score: right for a name (고양이 모래 is not 모래), wrong for a whole question. */
  readonly strict?: boolean;
}

export function buildIndex(items: readonly Item[]): SearchIndex {
  const named = items.map((item) => ({ item, lists: tokenLists(item) }));
  const frequency = new Map<string, number>();
  for (const { lists } of named) {
    for (const token of new Set(lists.flat())) frequency.set(token, (frequency.get(token) ?? 0) + 1);
  }
  const weights = new Map([...frequency].map(([token, count]) => [token, Math.log(1 + items.length / count)]));
  const postings = new Map<string, Variant[]>();
  for (const { item, lists } of named) {
    for (const tokens of lists) {
      const variant = { item, tokens, weight: weigh(weights, tokens, 0) };
      for (const token of tokens) {
        const variants = postings.get(token);
        if (variants) variants.push(variant);
        else postings.set(token, [variant]);
      }
    }
  }
  return { postings, weights, unknownWeight: Math.log(1 + items.length) };
}

/**
 * Items whose names share words with the query, best first. A name scores by how much of it the query holds, and half of
 * that again by how much of the query it explains, so that 유리병 beats 유리.
 */
export function search(index: SearchIndex, query: string, { limit, strict = false }: SearchOptions): SearchHit[] {
  const { words, variants, across } = queryTokens(query);
  const unknown = strict ? index.unknownWeight : 0;
  // Variants are several readings of the same syllables, so that the heaviest counts for all.
  const readings = [...variants].map((variant) => index.weights.get(variant) ?? unknown);
  const total = weigh(index.weights, words, unknown) || Math.max(0, ...readings);
  if (total === 0) return [];
  const shared = new Map<Variant, number>();
  for (const token of new Set([...words, ...variants, ...across])) {
    for (const variant of index.postings.get(token) ?? []) {
      if (across.has(token) && variant.tokens.length === 1) continue;
      shared.set(variant, (shared.get(variant) ?? 0) + (index.weights.get(token) ?? 0));
    }
  }
  const best = new Map<Item, number>();
  for (const [{ item, weight }, common] of shared) {
    const score = Math.min(1, common / weight) * (0.5 + 0.5 * Math.min(1, common / total));
    best.set(item, Math.max(score, best.get(item) ?? 0));
  }
  return [...best]
    .map(([item, score]) => ({ item, score }))
    .toSorted(byScore)
    .slice(0, limit);
}

/** Best first; equal scores by id, so that the order never depends on the data's. */
export function byScore(a: SearchHit, b: SearchHit): number {
  return b.score - a.score || (a.item.id < b.item.id ? -1 : 1);
}

/** Tokens of every name; a Korean name such as "CD·비디오테이프" also counts by each of its parts. */
function tokenLists({ names, aliases }: Item): string[][] {
  const all = [names.ko, names.en, ...aliases.ko, ...aliases.en, ...names.ko.split(/[·()]/)];
  const lists = all.flatMap((name) => {
    const stems = latinStems(name);
    return stems.length > 1 ? [nameTokens(name), [stems.join('')]] : [nameTokens(name)];
  });
  const distinct = new Map(lists.map((tokens) => [tokens.join(' '), tokens]));
  distinct.delete('');
  return [...distinct.values()];
}

function weigh(weights: ReadonlyMap<string, number>, tokens: Iterable<string>, unknown: number): number {
  return [...tokens].reduce((sum, token) => sum + (weights.get(token) ?? unknown), 0);
}
