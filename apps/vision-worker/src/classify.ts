import * as z from 'zod';
import {
  conditionSchema,
  wasteCategories,
  type Classification,
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
  condition: z.strictObject(conditionSchema.shape),
});
export type VisionAnswer = z.infer<typeof visionAnswerSchema>;

/**
 * The classification that a model's answer stands for. Of a known item the catalogue decides category, subcategory and
 * name, whatever the model wrote beside the id.
 *
 * @throws TransientError `model_output_invalid` for an item that is not in the catalogue.
 */
export function classify(answer: VisionAnswer, locale: Locale, engine: Engine): Classification {
  const confidence = Math.min(1, Math.max(0, answer.confidence));
  const { item_id, waste_category, condition } = answer;
  if (item_id === null) {
    const fallbackName = categoryNames[waste_category];
    return {
      waste_category,
      // A stream of another category would send the thing to the wrong bin; the category's own name sends it to none.
      subcategory: subcategoryOf(answer) ?? fallbackName.ko,
      item_id,
      // The model may have read the name off the photo, where anybody can have written anything.
      item_name: asData(answer.item_name, itemNameLimit) || fallbackName[locale],
      confidence,
      condition,
      engine,
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
    confidence,
    condition,
    engine,
  };
}

/** The named stream, if there is one and it belongs to the named category. */
function subcategoryOf({ subcategory, waste_category }: VisionAnswer): string | null {
  if (subcategory === null || subcategories.get(subcategory) !== waste_category) return null;
  return subcategory;
}
