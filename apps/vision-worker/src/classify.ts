import * as z from 'zod';
import {
  conditionSchema,
  wasteCategories,
  type Classification,
  type Condition,
  type Engine,
  type Locale,
} from '@bunri/queue-contracts';
import { catalogue, categoryNames, itemById } from '@bunri/knowledge';
import { TransientError } from '@bunri/runtime';
import { asData } from '@bunri/engines';

/** The Korean names of the collection streams, each with the one category that it belongs to. */
export const subcategories: ReadonlyMap<string, Classification['waste_category']> = new Map(
  catalogue.items.map(({ subcategory, wasteCategory }) => [subcategory, wasteCategory]),
);

const itemNameLimit = 60;
const mostCandidates = 4;
const mostOthers = 5;

/**
 * What the model is asked to fill in. Ranges and lengths are left to `classify`: strict mode refuses some of these
 * keywords, and a confidence of 1.01 is not worth a second call.
 */
export const visionAnswerSchema = z.strictObject({
  item_id: z.enum(catalogue.items.map(({ id }) => id)).nullable(),
  waste_category: z.enum(wasteCategories),
  subcategory: z.enum([...subcategories.keys()]).nullable(),
  item_name: z.string(),
  confidence: z.number(),
  candidates: z.array(z.strictObject({ item_id: z.string(), confidence: z.number() })),
  others: z.array(z.strictObject({ item_id: z.string().nullable(), item_name: z.string() })),
  // Strict mode knows no optional property.
  condition: z.strictObject(conditionSchema.required().shape),
});
export type VisionAnswer = z.infer<typeof visionAnswerSchema>;

/**
 * The classification that a model's answer stands for. Of a known item the catalogue decides category, subcategory and
 * name, whatever the model wrote beside the id.
 *
 * @throws TransientError `model_output_invalid` for an item that is not in the catalogue.
 */
export function classify(answer: VisionAnswer, locale: Locale, engine: Engine): Classification {
  const seen = {
    confidence: probability(answer.confidence),
    ...candidatesOf(answer, locale),
    ...othersOf(answer, locale),
    condition: knownOnly(answer.condition),
    engine,
  };
  const { item_id, waste_category } = answer;
  if (item_id === null) {
    const fallbackName = categoryNames[waste_category];
    return {
      waste_category,
      // A stream of another category would send the thing to the wrong bin; the category's own name sends it to none.
      subcategory: subcategoryOf(answer) ?? fallbackName.ko,
      item_id,
      // The model may have read the name off the photo, where anybody can have written anything.
      item_name: asData(answer.item_name, itemNameLimit) || fallbackName[locale],
      ...seen,
    };
  }
  const item = itemById(item_id);
  if (!item) {
    throw new TransientError(
      'model_output_invalid',
      'The model named an item that is not in the catalogue. Try again.',
    );
  }
  return {
    waste_category: item.wasteCategory,
    subcategory: item.subcategory,
    item_id: item.id,
    item_name: item.names[locale],
    ...seen,
  };
}

function probability(written: number): number {
  return Math.min(1, Math.max(0, written));
}

/** What else it may be. An id that the catalogue does not know helps nobody, and is no reason to pay for another call. */
function candidatesOf({ item_id, candidates }: VisionAnswer, locale: Locale): Pick<Classification, 'candidates'> {
  const distinct = new Map(
    candidates
      .toSorted((a, b) => a.confidence - b.confidence)
      .flatMap(({ item_id: id, confidence }) => {
        const item = id === item_id ? undefined : itemById(id);
        const candidate = { item_id: id, item_name: item?.names[locale] ?? '', confidence: probability(confidence) };
        return item ? [[id, candidate] as const] : [];
      }),
  );
  const kept = [...distinct.values()].toSorted((a, b) => b.confidence - a.confidence).slice(0, mostCandidates);
  return kept.length > 0 ? { candidates: kept } : {};
}

function othersOf({ others }: VisionAnswer, locale: Locale): Pick<Classification, 'others'> {
  const kept = others
    .map(({ item_id, item_name }) => {
      const item = item_id === null ? undefined : itemById(item_id);
      return { item_id: item?.id ?? null, item_name: item?.names[locale] ?? asData(item_name, itemNameLimit) };
    })
    .filter(({ item_name }) => item_name !== '')
    .slice(0, mostOthers);
  return kept.length > 0 ? { others: kept } : {};
}

/** The four tags that every answer has, and of the others those that say something. */
function knownOnly({ cap, rinsed, contamination, label, ...further }: VisionAnswer['condition']): Condition {
  const known = Object.fromEntries(Object.entries(further).filter(([, value]) => value !== 'unknown'));
  return { cap, rinsed, contamination, label, ...known };
}

/** The named stream, if there is one and it belongs to the named category. */
function subcategoryOf({ subcategory, waste_category }: VisionAnswer): string | null {
  if (subcategory === null || subcategories.get(subcategory) !== waste_category) return null;
  return subcategory;
}
