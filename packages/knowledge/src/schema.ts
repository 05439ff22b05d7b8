import { contextSentenceSchema, conditionSchema, wasteCategories } from '@bunri/queue-contracts';
import * as z from 'zod';

/** The shapes of the files under `data/`. Unknown keys are errors, so that a typing mistake never hides a rule. */

const slug = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/);
const bilingual = z.strictObject({ ko: z.string().min(1), en: z.string().min(1) });
const wordLists = z.strictObject({ ko: z.array(z.string().min(1)), en: z.array(z.string().min(1)) });

/** Tags of the photographed thing's state; a rule applies when every tag that it names has one of the listed values. */
const whenSchema = z
  .strictObject({
    cap: z.array(conditionSchema.shape.cap.exclude(['unknown'])).min(1),
    rinsed: z.array(conditionSchema.shape.rinsed.exclude(['unknown'])).min(1),
    contamination: z.array(conditionSchema.shape.contamination.exclude(['unknown'])).min(1),
    label: z.array(conditionSchema.shape.label.exclude(['unknown'])).min(1),
  })
  .partial();

export const ruleFileSchema = z
  .strictObject({
    /** `<item or group id>/<slug>`; once shipped it keeps its meaning, because answers cite it. */
    id: z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+$/),
    kind: contextSentenceSchema.shape.kind,
    source: slug,
    /** The item that this one is taken for; only on confusions. */
    item: slug.optional(),
    when: whenSchema.optional(),
    /** Topics (keys of `topics.json`) of a question that this rule answers. */
    about: z.array(slug).default([]),
    /** Matters although nobody asked about it. */
    important: z.boolean().default(false),
    text: bilingual,
  })
  .refine(
    (rule) => (rule.kind === 'confusion') === (rule.item !== undefined),
    'a confusion, and nothing else, names an item',
  )
  .refine((rule) => rule.kind !== 'condition' || rule.when !== undefined, 'a condition says when it applies');

const itemFileSchema = z.strictObject({
  id: slug,
  names: bilingual,
  aliases: wordLists,
  /** Where it differs from the group's. */
  subcategory: z.string().min(1).optional(),
  materials: z.array(z.string().min(1)),
  rules: z.array(ruleFileSchema).min(1),
});

export const groupFileSchema = z.strictObject({
  group: slug,
  wasteCategory: z.enum(wasteCategories),
  subcategory: z.string().min(1),
  names: bilingual,
  /** For a thing of this group that is no item of the catalogue. */
  rules: z.array(ruleFileSchema).min(1),
  items: z.array(itemFileSchema).min(1),
});

export const categoriesFileSchema = z.strictObject({
  names: z.record(z.enum(wasteCategories), bilingual),
  /** For a recyclable whose group is unknown too; every other category is one group. */
  recyclable: z.array(ruleFileSchema).min(1),
  /** Said whenever the item is unknown. */
  generic: z.array(ruleFileSchema).min(1),
});

export const topicsFileSchema = z.record(slug, wordLists);

export const sourceSchema = z.strictObject({
  id: slug,
  title: z.string().min(1),
  publisher: z.string().min(1),
  version: z
    .string()
    .regex(/^(\d{4}(-\d{2})?|undated)$/)
    .meta({ description: 'Year or month of the edition that the rules follow; `undated` where it names none.' }),
  url: z.url().optional(),
});

export type Source = z.infer<typeof sourceSchema>;
export type Names = z.infer<typeof bilingual>;
export type WordLists = z.infer<typeof wordLists>;
type RuleFile = z.infer<typeof ruleFileSchema>;

/** The files under `data/`, as they are written. */
export interface DataFiles {
  readonly groups: readonly z.input<typeof groupFileSchema>[];
  readonly categories: z.input<typeof categoriesFileSchema>;
  readonly topics: z.input<typeof topicsFileSchema>;
  readonly sources: readonly z.input<typeof sourceSchema>[];
}

/** A rule with the version of its source. */
export type Rule = RuleFile & { readonly version: string };

export interface Item {
  readonly id: string;
  readonly names: Names;
  readonly aliases: WordLists;
  readonly wasteCategory: (typeof wasteCategories)[number];
  /** Korean term of the collection stream, such as 무색페트병. */
  readonly subcategory: string;
  readonly materials: readonly string[];
  readonly rules: readonly Rule[];
}

export interface Group {
  readonly id: string;
  readonly names: Names;
  readonly wasteCategory: (typeof wasteCategories)[number];
  /** The group's own term and those of its items that differ. */
  readonly subcategories: readonly string[];
  readonly rules: readonly Rule[];
}
