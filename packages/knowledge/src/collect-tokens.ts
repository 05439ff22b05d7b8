import type { NameOwner } from './names.ts';

/**
 * Which names have a token, and what it weighs. Variants are names as lists of tokens, known by their numbers; of them
 * nothing is needed but the arrays that have one number each.
 */
export interface CollectedTokens {
  /** Every weight that a token or a variant has; the first is 0. */
  readonly weights: readonly number[];
  /** For each word its place in `weights`; 0 for one that is no token. */
  readonly ofWords: readonly number[];
  /** For each word how many variants have it, and one word's after the other's, these variants. */
  readonly counts: readonly number[];
  readonly postings: readonly number[];
  /** For each variant its owner, the place of its weight, and its number of tokens. */
  readonly owners: readonly number[];
  readonly ofVariants: readonly number[];
  readonly sizes: readonly number[];
}

interface Variant {
  readonly owner: number;
  readonly tokens: readonly string[];
}

/** Tokens of all names, still without the places of the words. */
interface Tokens {
  readonly variants: readonly Variant[];
  /** Numbers of the variants that have a token. */
  readonly postings: ReadonlyMap<string, readonly number[]>;
  /** Of each token: the fewer items have it, the heavier. */
  readonly weights: ReadonlyMap<string, number>;
}

/** @param lists for each owner, its names as lists of tokens */
export function gatherTokens(
  owners: readonly NameOwner[],
  lists: readonly (readonly (readonly string[])[])[],
  itemCount: number,
): Tokens {
  const variants = lists.flatMap((names, owner) => names.map((tokens) => ({ owner, tokens })));
  const postings = new Map<string, number[]>();
  for (const [number, { tokens }] of variants.entries()) {
    for (const token of tokens) {
      const known = postings.get(token);
      if (known) known.push(number);
      else postings.set(token, [number]);
    }
  }
  const havers = (numbers: readonly number[]) =>
    new Set(numbers.map((number) => owners[variants[number]?.owner ?? 0]?.item)).size;
  const weights = new Map(
    [...postings].map(([token, numbers]) => [token, Math.log(1 + itemCount / havers(numbers))] as const),
  );
  return { variants, postings, weights };
}

/** Writes them as numbers, in the order of these words. */
export function numberTokens({ variants, postings, weights }: Tokens, words: readonly string[]): CollectedTokens {
  const places = new Map([[0, 0]]);
  const place = (weight: number): number => {
    const known = places.get(weight) ?? places.size;
    places.set(weight, known);
    return known;
  };
  const weightOf = (tokens: readonly string[]) => tokens.reduce((sum, token) => sum + (weights.get(token) ?? 0), 0);
  const numbers = {
    ofWords: words.map((word) => place(weights.get(word) ?? 0)),
    counts: words.map((word) => postings.get(word)?.length ?? 0),
    postings: words.flatMap((word) => postings.get(word) ?? []),
    owners: variants.map(({ owner }) => owner),
    ofVariants: variants.map(({ tokens }) => place(weightOf(tokens))),
    sizes: variants.map(({ tokens }) => tokens.length),
  };
  return { weights: [...places.keys()], ...numbers };
}
