import type { Classification, Context, Locale, Outcome } from '@bunri/queue-contracts';
import { groupOf, readCases, sharedRules } from './cases.ts';
import { catalogue as shipped, type Catalogue } from './catalogue.ts';
import { clarify } from './clarify.ts';
import type { CollectedIndex } from './collect-index.ts';
import { identify, isSeen, mentionedItems, type Chosen, type Knowledge } from './identify.ts';
import type { Group, Item, Rule } from './schema.ts';
import { search } from './search.ts';
import { buildIndex } from './search-index.ts';
import { shippedIndex } from './shipped-index.ts';
import { choose, fit, movingRule } from './select.ts';
import { fillCondition, makeSituationReader, type SituationReader } from './situations.ts';
import { makeTopicReader, type TopicReader } from './topics.ts';
import { tellingWords } from './wording.ts';
import { whenAsked } from './when-asked.ts';
import { normalise } from './words.ts';

export interface ContextRequest {
  readonly classification: Classification;
  readonly question: string;
  readonly locale: Locale;
  /** Tokens (o200k) that the sentences may take together as they are quoted to a model; at least `minTokenBudget`. */
  readonly tokenBudget: number;
  /** What the person said that the thing is. */
  readonly chosen?: Chosen | undefined;
}

/** The longest sentence fits (checked over the data), so that a context is never empty. */
export const minTokenBudget = 80;
/** Holds every step of any item, whatever the condition (checked over the data). */
export const defaultTokenBudget = 800;

/** Below this confidence the confusions are told although nobody asked. */
const sureConfidence = 0.7;

interface Library extends Knowledge {
  readonly readSituation: SituationReader;
  readonly readTopics: TopicReader;
}

/** A catalogue with everything that is derived from it to look things up. */
function makeKnowledge(catalogue: Catalogue, collected: CollectedIndex): Library {
  return {
    catalogue,
    index: buildIndex(catalogue, collected),
    readSituation: whenAsked(() => makeSituationReader(catalogue.situations)),
    readTopics: whenAsked(() => makeTopicReader(catalogue.topics)),
  };
}

let ofShipped: Library | undefined;

/** What is looked up in the shipped catalogue; built at the first call, which collects the index first: about half a second of processor time. A bundle has it collected. */
export function shippedKnowledge(): Library {
  return (ofShipped ??= makeKnowledge(shipped, shippedIndex()));
}

/**
 * The sentences of the rules that matter for this item, its condition and this question, within the token budget, and
 * where the thing goes.
 *
 * The item is the chosen one, else the classified one, else the best search hit, else unknown: then the rules of the
 * category speak, or of what the question says that it is made of, and one sentence says that the item is not certain.
 * Where nothing supports a category there is no outcome. Where it is not certain what the thing is, and it
 * matters, a clarification asks. Pure: the same request gives the same context. Throws a RangeError for a budget below
 * `minTokenBudget`.
 */
export function buildContext(request: ContextRequest, library: Library = shippedKnowledge()): Context {
  const { classification, question, locale, tokenBudget, chosen } = request;
  if (tokenBudget < minTokenBudget) {
    throw new RangeError(`tokenBudget must be at least ${minTokenBudget}, got ${tokenBudget}`);
  }
  const { catalogue, index, readSituation, readTopics } = library;
  const asked = search(index, question, { limit: Infinity });
  const {
    item,
    match,
    hits,
    doubts,
    isConfirmed = false,
  } = identify(library, { classification, question, asked, chosen });
  const clarification = clarify(doubts, locale);

  const condition = fillCondition(classification.condition, readSituation(question));
  const runs = index.readRuns(question);
  const words = tellingWords(runs, item, catalogue.phrasing);
  // Of a thing that nobody has seen, what it is made of may be said.
  const group = item !== undefined || isSeen(classification) ? undefined : groupOf(catalogue, runs);
  const place = item ?? group ?? (isSeen(classification) ? classification : undefined);
  const rules = item?.rules ?? unknownRules(catalogue, group, classification);
  const topics = readTopics(question);
  const cases = readCases(library, item, question, words);
  const choices = choose([...rules, ...sharedRules(catalogue, item, topics, words)], {
    condition,
    topics,
    words,
    cases,
    mentioned: mentionedItems(asked),
    unsure: !isConfirmed && (match !== 'id' || classification.confidence < sureConfidence),
  });
  const { sentences, tokens } = fit(choices, locale, tokenBudget);
  return {
    item_id: item?.id ?? null,
    item_name: item?.names[locale] ?? classification.item_name,
    match,
    candidates: hits.map(({ item: { id, names }, score }) => ({
      item_id: id,
      item_name: names[locale],
      score: Math.round(score * 1000) / 1000,
    })),
    ...(isConfirmed && { confirmed: true as const }),
    ...(place && { outcome: decide(catalogue, rules, { condition, cases }, place) }),
    ...(clarification ? { clarification } : {}),
    sentences,
    catalogue_version: catalogue.version,
    tokens,
  };
}

/** Where the thing goes: as its item, its group or its classification says, unless its condition sends it elsewhere. */
function decide(
  { groupById }: Catalogue,
  rules: readonly Rule[],
  state: Parameters<typeof movingRule>[1],
  usual: Item | Group | Classification,
): Outcome {
  const move = movingRule(rules, state);
  const group = move === undefined ? undefined : groupById.get(move.to);
  if (move !== undefined && group !== undefined) {
    return { waste_category: group.wasteCategory, subcategory: group.subcategory, rule_id: move.rule.id };
  }
  const waste_category = 'wasteCategory' in usual ? usual.wasteCategory : usual.waste_category;
  return { waste_category, subcategory: usual.subcategory, rule_id: null };
}

/** What holds for a thing that is no item: the rules of its group, of its category, or that it has to be asked about. */
function unknownRules(catalogue: Catalogue, group: Group | undefined, classification: Classification): readonly Rule[] {
  if (group !== undefined) return [...group.rules, ...catalogue.genericRules];
  return isSeen(classification) ? categoryRules(catalogue, classification) : catalogue.genericRules;
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
