import { contextSentenceSchema, locales, wasteCategories, type Locale } from '@bunri/queue-contracts';
import * as z from 'zod';
import { catalogue as shipped, type Catalogue } from './catalogue.ts';
import { sourceSchema } from './schema.ts';

/**
 * Every item as one line `id: Korean name` under a heading `## category | subcategory`. The same text in every process of
 * one version, so that it can stand in the static prefix of a prompt, where a provider's prefix cache serves it.
 */
export function cataloguePrompt({ items }: Catalogue = shipped): string {
  const streams = Map.groupBy(items, ({ wasteCategory, subcategory }) => `## ${wasteCategory} | ${subcategory}`);
  return [...streams]
    .flatMap(([heading, members]) => [heading, ...members.map(({ id, names }) => `${id}: ${names.ko}`)])
    .join('\n');
}

export const publicItemsSchema = z.object({
  version: z.string().meta({ description: 'Changes with every word of every rule.' }),
  locale: z.enum(locales),
  items: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      aliases: z.array(z.string()),
      waste_category: z.enum(wasteCategories),
      waste_category_name: z.string(),
      subcategory: z.string().meta({ description: 'Korean term of the collection stream.' }),
      materials: z.array(z.string()),
      rules: z.array(contextSentenceSchema.omit({ asked: true }).extend({ source_id: z.string() })),
    }),
  ),
  sources: z.array(sourceSchema),
});
export type PublicItems = z.infer<typeof publicItemsSchema>;

/** All items with their rules in one language, and the sources that the rules cite. */
export function publicItems(locale: Locale = 'ko', catalogue: Catalogue = shipped): PublicItems {
  return {
    version: catalogue.version,
    locale,
    items: catalogue.items.map((item) => ({
      id: item.id,
      name: item.names[locale],
      aliases: item.aliases[locale],
      waste_category: item.wasteCategory,
      waste_category_name: catalogue.categoryNames[item.wasteCategory][locale],
      subcategory: item.subcategory,
      materials: [...item.materials],
      rules: item.rules.map(({ id, version, kind, text, source }) => ({
        rule_id: id,
        version,
        kind,
        text: text[locale],
        source_id: source,
      })),
    })),
    sources: [...catalogue.sources],
  };
}
