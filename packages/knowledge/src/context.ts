import type { Classification, Context, Locale } from '@bunri/queue-contracts';
import { catalogue as shipped, type Catalogue } from './catalogue.ts';
import type { Group, Rule } from './schema.ts';
import { buildIndex, byScore, search, type SearchHit, type SearchIndex } from './search.ts';
import { choose, fit, sentenceTokens } from './select.ts';
import { questionTopics } from './topics.ts';
import { normalise } from './words.ts';

export interface ContextRequest {
  readonly classification: Classification;
  readonly question: string;
  readonly locale: Locale;
  /** Estimated tokens that the sentences may take together; at least `minTokenBudget`. */
  readonly tokenBudget: number;
}

/** What is looked up: a catalogue and the index of its names. */
interface Knowledge {
  readonly catalogue: Catalogue;
  readonly index: SearchIndex;
}

/** The longest sentence fits (asserted over the data), so that a context is never empty. */
export const minTokenBudget = 80;

/** From here on a search hit is taken for the item. */
const matchThreshold = 0.65;
/** From here on a hit is handed on as a candidate. */
const candidateThreshold = 0.35;
const candidateLimit = 5;
/** The question names other things too (a sticker on it, the bin), so that it weighs less than what vision saw. */
const questionWeight = 0.8;
/** For an item of another category than vision's. */
const otherCategoryWeight = 0.95;
/** Below this confidence the confusions are told although nobody asked. */
const sureConfidence = 0.7;

export const knowledge: Knowledge = { catalogue: shipped, index: buildIndex(shipped.items) };

/**
 * The sentences of the rules that matter for this item, its condition and this question, within the token budget.
 *
 * The item is the classified one, else the best search hit, else unknown: then the rules of the category speak, and one
 * sentence says that the item is not certain. Pure: the same request gives the same context. Throws a RangeError for a
 * budget below `minTokenBudget`.
 */
export function buildContext(request: ContextRequest, { catalogue, index }: Knowledge = knowledge): Context {
  const { classification, question, locale, tokenBudget } = request;
  if (tokenBudget < minTokenBudget) {
    throw new RangeError(`tokenBudget must be at least ${minTokenBudget}, got ${tokenBudget}`);
  }
  const known = classification.item_id === null ? undefined : catalogue.itemById.get(classification.item_id);
  const hits = known === undefined ? findItem(index, classification, question) : [];
  const [best] = hits;
  const found = known ?? (best !== undefined && best.score >= matchThreshold ? best.item : undefined);

  const rules = found?.rules ?? categoryRules(catalogue, classification);
  const mentioned = new Set(
    search(index, question, { limit: candidateLimit })
      .filter(({ score }) => score >= matchThreshold)
      .map(({ item }) => item.id),
  );
  const chosen = choose(rules, {
    condition: classification.condition,
    topics: questionTopics(question, catalogue.topics),
    mentioned,
    unsure: known === undefined || classification.confidence < sureConfidence,
  });
  const sentences = fit(chosen, locale, tokenBudget);
  return {
    item_id: found?.id ?? null,
    item_name: found?.names[locale] ?? classification.item_name,
    match: known !== undefined ? 'id' : found !== undefined ? 'search' : 'category',
    candidates: hits.map(({ item, score }) => ({
      item_id: item.id,
      item_name: item.names[locale],
      score: Math.round(score * 1000) / 1000,
    })),
    sentences,
    catalogue_version: catalogue.version,
    tokens: sentences.reduce((sum, sentence) => sum + sentenceTokens(sentence), 0),
  };
}

function findItem(index: SearchIndex, classification: Classification, question: string): SearchHit[] {
  const best = new Map<string, SearchHit>();
  const collect = (query: string, strict: boolean, weight: number) => {
    for (const { item, score } of search(index, query, { limit: Infinity, strict })) {
      const category = item.wasteCategory === classification.waste_category ? 1 : otherCategoryWeight;
      const weighted = score * weight * category;
      if (weighted > (best.get(item.id)?.score ?? 0)) best.set(item.id, { item, score: weighted });
    }
  };
  collect(classification.item_name, true, 1);
  collect(question, false, questionWeight);
  return [...best.values()]
    .filter(({ score }) => score >= candidateThreshold)
    .toSorted(byScore)
    .slice(0, candidateLimit);
}

/** Rules of the group that the subcategory names; else what holds for every recyclable, or for the category's groups. */
function categoryRules(catalogue: Catalogue, { waste_category, subcategory }: Classification): readonly Rule[] {
  const groups = catalogue.groups.filter(({ wasteCategory }) => wasteCategory === waste_category);
  const named = groups.find((group) => isNamed(group, subcategory));
  const shared = waste_category === 'recyclable' ? catalogue.recyclableRules : groups.flatMap(({ rules }) => rules);
  return [...(named?.rules ?? shared), ...catalogue.genericRules];
}

function isNamed({ id, names, subcategories }: Group, subcategory: string): boolean {
  const wanted = normalise(subcategory).trim();
  return [id, names.ko, names.en, ...subcategories].some((name) => normalise(name) === wanted);
}
