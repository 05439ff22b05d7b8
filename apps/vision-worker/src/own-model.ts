import type { InferenceEngine } from '@bunri/engines';
import { catalogue, itemById, knownMaterials } from '@bunri/knowledge';
import { openLocalVision, type MaterialEstimate } from '@bunri/local-vision';
import { openModelFile, type LabelEstimate } from '@bunri/onnx-vision';
import type { Locale } from '@bunri/queue-contracts';
import type { Logger, Metrics } from '@bunri/runtime';
import type { VisionAnswer } from './classify.ts';
import { namedItems, nothingKnown, rankItems } from './rank-items.ts';

/** What a model of items makes of a photo, likeliest first. */
export interface ItemEstimate {
  readonly items: readonly { readonly item_id: string; readonly probability: number }[];
}

/** What a local model makes of a photo. */
export type Estimate = MaterialEstimate | ItemEstimate;

export interface VisionModel {
  readonly engine: InferenceEngine<Uint8Array, Estimate>;
  readonly identity: string;
  readonly expectedBytes: number;
}

export interface VisionModelOptions {
  /** A model of one's own; without it the one that ships with bunri. */
  readonly path: string | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * The model that the settings name, in a process that starts with the first photo.
 *
 * @throws Error naming what is missing, and what of a model of one's own does not fit.
 */
export function openVisionModel({ path, metrics, log }: VisionModelOptions): VisionModel {
  if (path === undefined) return openLocalVision({ metrics, log });
  const items = catalogue.items.map(({ id, names }) => ({ id, name: names.en }));
  const { engine, ...rest } = openModelFile({ path, materials: knownMaterials, items, metrics, log });
  return { ...rest, engine: asEstimates(engine) };
}

function asEstimates(engine: InferenceEngine<Uint8Array, LabelEstimate>): InferenceEngine<Uint8Array, Estimate> {
  return {
    ...engine,
    predict: async (batch, options) =>
      (await engine.predict(batch, options)).map((prediction) => ({
        ...prediction,
        value: asEstimate(prediction.value),
      })),
  };
}

function asEstimate({ labels, ranked }: LabelEstimate): Estimate {
  return labels === 'items'
    ? { items: ranked.map(({ label, probability }) => ({ item_id: label, probability })) }
    : // Such a model measures no familiarity: its probabilities stand as they are.
      { materials: ranked.map(({ label, probability }) => ({ material: label, probability })), familiarity: 1 };
}

/** The answer to a question about a photo, whichever kind of model looked at it. Pure; a change raises `rankVersion`. */
export function answerFrom(estimate: Estimate, question: string, locale: Locale): VisionAnswer {
  return 'items' in estimate ? ofItems(estimate, question, locale) : rankItems(estimate, question, locale);
}

const mostCandidates = 4;
const worthShowing = 0.05;
/** From here on an item is taken for certain, and nothing else is shown. */
const certain = 0.6;

/**
 * As with materials, the question's words name the thing where they can, and the photo says how far it agrees: the
 * confidence is what the model gives the item, never more.
 */
function ofItems({ items }: ItemEstimate, question: string, locale: Locale): VisionAnswer {
  const named = namedItems(question, locale).map(({ id }) => id);
  const [best] = named.length > 0 ? likeliest(items, named) : items;
  const item = best && itemById(best.item_id);
  if (!item) throw new Error('the local model told no item of the catalogue');
  return {
    item_id: item.id,
    waste_category: item.wasteCategory,
    subcategory: item.subcategory,
    item_name: item.names[locale],
    confidence: best.probability,
    candidates:
      best.probability < certain
        ? items
            .filter(({ item_id, probability }) => item_id !== item.id && probability >= worthShowing)
            .slice(0, mostCandidates)
            .map(({ item_id, probability }) => ({ item_id, confidence: probability }))
        : [],
    others: [],
    condition: nothingKnown,
  };
}

/** Of the named ones, as the model ranks them; those that it does not, last. */
function likeliest(items: ItemEstimate['items'], named: readonly string[]): ItemEstimate['items'] {
  const probability = (id: string) => items.find(({ item_id }) => item_id === id)?.probability ?? 0;
  return named
    .map((item_id) => ({ item_id, probability: probability(item_id) }))
    .toSorted((a, b) => b.probability - a.probability);
}
