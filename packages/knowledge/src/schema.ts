import { contextSentenceSchema, situations, wasteCategories, type Locale } from '@bunri/queue-contracts';
import * as z from 'zod';

/** The shapes of the files under `data/`. Unknown keys are errors, so that a typing mistake never hides a rule. */

const slug = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/);
const bilingual = z.strictObject({ ko: z.string().min(1), en: z.string().min(1) });
const wordLists = z.strictObject({ ko: z.array(z.string().min(1)), en: z.array(z.string().min(1)) });

function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.array(z.enum(values)).min(1);
}

/** Tags of the thing's state; a rule applies when every tag that it names has one of the listed values. */
const whenSchema = z
  .strictObject({
    cap: oneOf(situations.cap),
    rinsed: oneOf(situations.rinsed),
    contamination: oneOf(situations.contamination),
    label: oneOf(situations.label),
    contents: oneOf(situations.contents),
    attachments: oneOf(situations.attachments),
    damage: oneOf(situations.damage),
    size: oneOf(situations.size),
    hazard: oneOf(situations.hazard),
    quantity: oneOf(situations.quantity),
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
    /** The group in which the thing goes where the condition is seen, or the question tells of the case, if not its own. */
    to: slug.optional(),
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
  .refine((rule) => rule.kind !== 'condition' || rule.when !== undefined, 'a condition says when it applies')
  .refine(
    (rule) => rule.to === undefined || ['condition', 'exception', 'prohibition'].includes(rule.kind),
    'only a condition, an exception or a prohibition sends a thing elsewhere',
  );

const itemFileSchema = z.strictObject({
  id: slug,
  names: bilingual,
  /** What people call it, each of one item only; what may be several things stands in `ambiguous.json`. */
  aliases: wordLists,
  /** How people also write it, wrongly. Searched, never shown. */
  misspellings: wordLists.optional(),
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

/** Words that may be several things: whoever says only this is asked which one it is. */
export const ambiguousFileSchema = z.array(z.strictObject({ words: wordLists, items: z.array(slug).min(2).max(5) }));

/** Which words of a question say in which state a thing is. A Korean phrase is parts that begin words, in this order. */
export const situationsFileSchema = z.strictObject({
  readings: z.array(
    z
      .strictObject({
        tag: z.enum(Object.keys(situations) as (keyof typeof situations)[]),
        value: z.string(),
        /** The value that a denial says. */
        not: z.string().optional(),
        ko: z.array(z.string().min(1)),
        en: z.array(z.string().min(1)),
      })
      .refine(({ tag, value, not }) => {
        const values: readonly string[] = situations[tag];
        return values.includes(value) && (not === undefined || values.includes(not));
      }, 'a reading says one of the values of its tag'),
  ),
  negations: wordLists,
  /** Words that may stand before a phrase. */
  adverbs: wordLists,
  /** Korean words behind, English words before a phrase that make a thing to do of it. */
  actions: wordLists,
  counters: wordLists,
  /** Plurals that a number measures and does not count. */
  units: wordLists,
  numerals: z.strictObject({ one: z.array(z.string().min(1)), several: z.array(z.string().min(1)) }),
});

/** What people put around the name of a thing, and what they say that is none. */
export const phrasingFileSchema = z.strictObject({
  /** Whole words, and beginnings of words, that never name a thing. */
  noise: z.strictObject({ words: wordLists, stems: wordLists }),
  /** Collection streams, named as where a thing may go (종이로, "with plastics"). */
  streams: wordLists,
  /** Those of the streams that may stand alone behind the thing ("is an umbrella metal?"). */
  materials: wordLists,
  /** Where a thing is put (종량제봉투에). */
  bins: wordLists,
  /** Things that are mostly part of another: a question about them is about the thing that they are on. */
  parts: wordLists,
  /** Korean words behind, English words before what describes the thing (우유가 담긴 병, "bag of rice"). */
  links: wordLists,
  /** What is left on or in a thing, and is the thing only where nothing else is. */
  residues: wordLists,
  /** Kinds of things, said of a thing (가스레인지 폐가전). */
  kinds: wordLists,
  /** Words for what a thing is made of: the names that items have for it, and the group that takes it where no item is known. */
  substances: z.array(
    z.strictObject({ words: wordLists, materials: z.array(z.string().min(1)).min(1), group: slug.optional() }),
  ),
  /** What is done to a part; Korean beginnings of words. */
  handling: wordLists,
});

/** Rule id → tokens of the sentence as it is quoted to a model, in Korean and in English. */
export const tokenCountsFileSchema = z.record(z.string(), z.tuple([z.int().positive(), z.int().positive()]));

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
export type SituationsFile = z.infer<typeof situationsFileSchema>;
export type Phrasing = z.infer<typeof phrasingFileSchema>;
export type Names = z.infer<typeof bilingual>;
export type WordLists = z.infer<typeof wordLists>;
type RuleFile = z.infer<typeof ruleFileSchema>;

/** The files under `data/`, as they are written. */
export interface DataFiles {
  readonly groups: readonly z.input<typeof groupFileSchema>[];
  readonly categories: z.input<typeof categoriesFileSchema>;
  readonly topics: z.input<typeof topicsFileSchema>;
  readonly sources: readonly z.input<typeof sourceSchema>[];
  readonly ambiguous: z.input<typeof ambiguousFileSchema>;
  readonly situations: SituationsFile;
  readonly phrasing: Phrasing;
  /** Written by `npm run knowledge:check -- --write`. */
  readonly tokenCounts: z.input<typeof tokenCountsFileSchema>;
}

/** A rule with the version of its source. */
export type Rule = RuleFile & {
  readonly version: string;
  /** Of the sentence as it is quoted to a model; undefined where nobody has counted it yet. */
  readonly tokens: Readonly<Record<Locale, number>> | undefined;
};

export interface Item {
  readonly id: string;
  /** Id of the group that it belongs to. */
  readonly group: string;
  readonly names: Names;
  readonly aliases: WordLists;
  readonly misspellings?: WordLists | undefined;
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
  /** Korean term of the collection stream. */
  readonly subcategory: string;
  /** The group's own term and those of its items that differ. */
  readonly subcategories: readonly string[];
  readonly rules: readonly Rule[];
}
