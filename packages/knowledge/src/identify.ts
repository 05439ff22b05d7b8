import type { Classification, Context } from '@bunri/queue-contracts';
import type { Catalogue } from './catalogue.ts';
import type { Item } from './schema.ts';
import { byScore, search, type SearchHit } from './search.ts';
import type { SearchIndex } from './search-index.ts';
import { compact } from './words.ts';

/** What is looked up: a catalogue and the index of its names. */
export interface Knowledge {
  readonly catalogue: Catalogue;
  readonly index: SearchIndex;
}

/** What the person said that the thing is, when they were asked. An id of the catalogue, or words. */
export interface Chosen {
  readonly itemId?: string | undefined;
  readonly text?: string | undefined;
}

interface Identified {
  readonly item: Item | undefined;
  readonly match: Context['match'];
  /** Items that the words of the photo, the question and the person find, best first. */
  readonly hits: readonly SearchHit[];
  /** What else it may be, likeliest first, the item itself included; empty where it is certain what the thing is. */
  readonly doubts: readonly Item[];
  /** The person said that it is this item, and left no doubt. */
  readonly isConfirmed?: boolean;
}

/** From here on a search hit is taken for the item. */
export const matchThreshold = 0.65;
/** From here on a hit is handed on as a candidate. */
const candidateThreshold = 0.35;
const candidateLimit = 5;
/** Below it a classification is a guess, which the words of the question may correct. */
const guessConfidence = 0.6;
/** Below it a classification without an item saw nothing. */
const seenConfidence = 0.25;
/** From here on a question names its thing clearly. */
const clearScore = 0.72;
/** A hit this close to the best is as likely. */
const tieShare = 0.93;
/** A hit this close is worth asking about, where nothing better is known. */
const rivalShare = 0.75;
/** The question names other things too (a sticker on it, the bin), so that it weighs less than the name that vision gave. */
const questionWeight = 0.8;
/** For an item of another category than vision's. */
const otherCategoryWeight = 0.95;

/** What is known of the thing. */
interface Clues {
  readonly classification: Classification;
  readonly question: string;
  /** What the question finds. */
  readonly asked: readonly SearchHit[];
  readonly chosen?: Chosen | undefined;
}

/**
 * Which item of the catalogue the thing is. What the person said when asked wins; then a classification that is sure of
 * itself; then what the question clearly names; then the guess of the classification; then the best search hit.
 */
export function identify(knowledge: Knowledge, clues: Clues): Identified {
  const { catalogue, index } = knowledge;
  const { classification, chosen } = clues;
  const picked = chosen?.itemId === undefined ? undefined : catalogue.itemById.get(chosen.itemId);
  if (picked !== undefined) return { item: picked, match: 'id', hits: [], doubts: [], isConfirmed: true };

  // An id that has left the catalogue since is as good as its words.
  const said = chosen?.text ?? chosen?.itemId?.replaceAll('-', ' ');
  if (said !== undefined) {
    const hits = search(index, said, { limit: candidateLimit }).filter(({ score }) => score >= candidateThreshold);
    const found = bestOf(hits);
    if (found !== undefined) return { ...found, isConfirmed: found.doubts.length === 0 };
  }
  const seen = classification.item_id === null ? undefined : catalogue.itemById.get(classification.item_id);
  if (seen === undefined) return unseen(knowledge, clues);
  const isGuess = classification.confidence < guessConfidence || said !== undefined;
  return isGuess ? guessed(knowledge, clues, seen) : { item: seen, match: 'id', hits: [], doubts: [] };
}

/** The best hit, if it is good enough, with those that are nearly as good as doubts. */
function bestOf(hits: readonly SearchHit[]): Identified | undefined {
  const [best] = hits;
  if (best === undefined || best.score < matchThreshold) return undefined;
  return { item: best.item, match: 'search', hits, doubts: isAlone(hits) ? [] : rivals(hits) };
}

/** Vision is not certain: the question may name the thing; else the candidates, or what it is taken for, are doubts. */
function guessed(knowledge: Knowledge, { classification, question, asked }: Clues, seen: Item): Identified {
  const { catalogue } = knowledge;
  const hits = asked.slice(0, candidateLimit);
  const [best] = hits;
  const isClear = best !== undefined && best.score >= clearScore && isAlone(hits);
  if (isClear && !isPart(knowledge, question, best.item)) {
    return { item: best.item, match: best.item === seen ? 'id' : 'search', hits, doubts: [] };
  }
  const named = hits.filter(({ score }) => score >= matchThreshold).map(({ item }) => item);
  const likely = distinct([seen, ...proposed(catalogue, classification), ...named]);
  const confused = seen.rules.flatMap(({ item }) => (item === undefined ? [] : (catalogue.itemById.get(item) ?? [])));
  return { item: seen, match: 'id', hits: [], doubts: likely.length > 1 ? likely : distinct([seen, ...confused]) };
}

/** Items that the question names, also besides the thing that it is about. */
export function mentionedItems(asked: readonly SearchHit[]): ReadonlySet<string> {
  const hits = asked.slice(0, candidateLimit).filter(({ score }) => score >= matchThreshold);
  return new Set(hits.map(({ item }) => item.id));
}

/** Vision knew no item: its name for the thing is searched, and the question's hits join. */
function unseen({ catalogue, index }: Knowledge, { classification, asked }: Clues): Identified {
  const found = new Map<string, SearchHit>();
  const collect = (some: readonly SearchHit[], weight: number) => {
    for (const { item, score } of some) {
      const isOther = isSeen(classification) && item.wasteCategory !== classification.waste_category;
      const weighted = score * weight * (isOther ? otherCategoryWeight : 1);
      if (weighted > (found.get(item.id)?.score ?? 0)) found.set(item.id, { item, score: weighted });
    }
  };
  // The local engine knows materials alone: what it calls a thing is no name to be looked up.
  if (classification.engine.provider !== 'local') {
    collect(search(index, classification.item_name, { limit: Infinity, strict: true }), 1);
  }
  const isNamed = [...found.values()].some(({ score }) => score >= candidateThreshold);
  collect(asked, isNamed ? questionWeight : 1);
  const hits = [...found.values()]
    .filter(({ score }) => score >= candidateThreshold)
    .toSorted(byScore)
    .slice(0, candidateLimit);
  const doubts = distinct([...proposed(catalogue, classification), ...rivals(hits)]);
  return bestOf(hits) ?? { item: undefined, match: 'category', hits, doubts };
}

/** Whether the category of the classification says anything. */
export function isSeen({ confidence }: Classification): boolean {
  return confidence >= seenConfidence;
}

function proposed(catalogue: Catalogue, { candidates = [] }: Classification): Item[] {
  return candidates
    .toSorted((a, b) => b.confidence - a.confidence)
    .flatMap(({ item_id }) => catalogue.itemById.get(item_id) ?? []);
}

/** True where no other hit that goes elsewhere is as good as the best. */
function isAlone(hits: readonly SearchHit[]): boolean {
  const [best] = hits;
  return !hits.some(
    ({ item, score }) =>
      best !== undefined && score >= best.score * tieShare && item.subcategory !== best.item.subcategory,
  );
}

function rivals(hits: readonly SearchHit[]): Item[] {
  const [best] = hits;
  return hits.filter(({ score }) => best !== undefined && score >= best.score * rivalShare).map(({ item }) => item);
}

/** True where the question names the item only by a word for a part, such as a lid, that the thing has. */
function isPart({ catalogue, index }: Knowledge, question: string, item: Item): boolean {
  const parts = [...catalogue.phrasing.parts.ko, ...catalogue.phrasing.parts.en];
  const text = compact(question);
  const named = parts.filter((part) => text.includes(compact(part)));
  return named.some((part) => search(index, part, { limit: 1 })[0]?.item === item);
}

function distinct(items: readonly Item[]): Item[] {
  return [...new Set(items)];
}
