import type { CollectedTokens } from './collect-tokens.ts';
import { numberOf, type Named } from './names.ts';

/**
 * Names by their tokens. A variant, one name as a list of tokens, is a number, and what is known of it stands in arrays: as
 * objects the 15,000 variants would be most of what a process makes at its start.
 */
export interface NameTokens {
  /** Of a token: the fewer items have it, the heavier; undefined for a word that is none. */
  readonly weightOf: (token: string) => number | undefined;
  readonly variantsWith: (token: string) => Uint16Array;
  readonly ownerOf: (variant: number) => Named | undefined;
  /** Sum of the weights of a variant's tokens. */
  readonly totalOf: (variant: number) => number;
  /** Whether a variant is one token. */
  readonly isSingle: (variant: number) => boolean;
}

const none = new Uint16Array();

/** @param places of the words, in whose order the numbers of `collected` stand */
export function readTokens(
  collected: CollectedTokens,
  places: ReadonlyMap<string, number>,
  owners: readonly Named[],
): NameTokens {
  const { weights } = collected;
  const [ofWords, postings, ofVariants, ownersOf, sizes] = [
    new Uint16Array(collected.ofWords),
    new Uint16Array(collected.postings),
    new Uint16Array(collected.ofVariants),
    new Uint16Array(collected.owners),
    new Uint16Array(collected.sizes),
  ];
  const ends = endsOf(collected.counts);
  return {
    weightOf: (token) => {
      const weight = numberOf(token, places, ofWords);
      return weight === 0 ? undefined : weights[weight];
    },
    variantsWith: (token) => {
      const place = places.get(token);
      return place === undefined ? none : postings.subarray(place === 0 ? 0 : ends[place - 1], ends[place]);
    },
    ownerOf: (variant) => owners[ownersOf[variant] ?? 0],
    totalOf: (variant) => weights[ofVariants[variant] ?? 0] ?? 0,
    isSingle: (variant) => sizes[variant] === 1,
  };
}

/** Where each of several lists ends that stand one after the other. */
function endsOf(counts: readonly number[]): Uint32Array {
  const ends = new Uint32Array(counts.length);
  let end = 0;
  for (let at = 0; at < counts.length; at++) {
    end += counts[at] ?? 0;
    ends[at] = end;
  }
  return ends;
}
