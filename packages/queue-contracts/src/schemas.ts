import * as z from 'zod';

/** The seven bins of Korean household waste; names for people are in the knowledge package. */
export const wasteCategories = [
  'recyclable',
  'general',
  'noncombustible',
  'food',
  'bulky',
  'hazardous',
  'construction',
] as const;

export const locales = ['ko', 'en'] as const;

export const requestIdSchema = z
  .string()
  .regex(/^req_[0-9a-f]{32}$/)
  .meta({ description: 'Time-ordered request id: `req_` and the 32 hex digits of a UUID v7.' });

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** Where the bytes of a photo are before preprocess has seen them. Never the bytes themselves. */
export const imageSourceSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('upload'),
    key: z.string().min(1),
    sha256: sha256Schema,
    sizeBytes: z.int().positive(),
    etag: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Of an object that its client put itself: no other is read.' }),
  }),
  z.object({ kind: z.literal('url'), url: z.url() }),
  z
    .object({
      kind: z.literal('object'),
      key: z.string().min(1),
      sizeBytes: z.int().positive(),
      etag: z.string().min(1),
    })
    .meta({ description: 'An object that its client put itself, of which nobody told the hash.' }),
]);

export const batchIdSchema = z
  .string()
  .regex(/^batch_[0-9a-f]{32}$/)
  .meta({ description: 'Time-ordered batch id: `batch_` and the 32 hex digits of a UUID v7.' });

/** What a client may hang on a request for itself: up to 16 short texts, which are given back and never read. */
export const metadataSchema = z
  .record(z.string().regex(/^[\w.-]{1,64}$/), z.string().max(512))
  .refine((metadata) => Object.keys(metadata).length <= 16, 'may have at most 16 entries');

/** Names of models that are to look at the same photo: a model of the API, the local one (`local`), or one of each. */
export const modelsSchema = z
  .array(z.string().regex(/^[\w.:/-]{1,64}$/))
  .min(1)
  .max(2);

/** A span by the W3C's Trace Context: its trace, itself, and that it is kept. */
export const traceSchema = z.string().regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);

/** What the client asked for. Written once at acceptance and never changed. Times are epoch milliseconds. */
export const requestSchema = z.object({
  id: requestIdSchema,
  owner: z.string().min(1),
  question: z.string().max(1000),
  locale: z.enum(locales),
  source: imageSourceSchema,
  priority: z.enum(['interactive', 'batch']),
  createdAt: z.int(),
  deadlineAt: z.int(),
  replay: z
    .object({
      of: requestIdSchema,
      visionModel: z.string().min(1).optional(),
      llmModel: z.string().min(1).optional(),
    })
    .optional()
    .meta({ description: 'An earlier request run again to compare the two, with these models instead of the usual.' }),
  clarifies: z
    .object({ of: requestIdSchema, itemId: z.string().min(1).optional(), text: z.string().min(1).max(200).optional() })
    .optional()
    .meta({ description: 'An earlier request gone on with, and what the person said that the thing is.' }),
  models: modelsSchema.optional().meta({ description: 'Who is to look at the photo, instead of the usual model.' }),
  region: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'The municipality whose rules are asked for, as the client named it.' }),
  metadata: metadataSchema.optional(),
  webhookUrl: z.url().optional().meta({ description: 'Who is told of the end.' }),
  batch: z
    .object({ id: batchIdSchema, row: z.int().positive() })
    .optional()
    .meta({ description: 'The batch that it is a row of; rows count from 1.' }),
  trace: traceSchema.optional().meta({ description: 'The span of its acceptance, where it is traced.' }),
});

export const usageSchema = z.object({
  input_tokens: z.int().nonnegative(),
  output_tokens: z.int().nonnegative(),
  cost_usd: z.number().nonnegative(),
});

/** Which engine answered. `provider` is `simulator` when the model API says of itself that it is one. */
export const engineSchema = z.object({
  provider: z.string().min(1),
  model: z.string().min(1),
  prompt_version: z.string().min(1).optional(),
});

/** What a photo can show and a question can say of the state of a thing: a closed list, by which rules are chosen. */
export const situations = {
  cap: ['on', 'off', 'none'],
  rinsed: ['yes', 'no'],
  contamination: ['none', 'light', 'heavy'],
  label: ['on', 'off', 'none'],
  contents: ['empty', 'remaining'],
  /** Parts of another material, such as a spring, a strap or staples. */
  attachments: ['on', 'off', 'none'],
  damage: ['none', 'broken'],
  /** Whether it goes into a garbage bag. */
  size: ['bag', 'oversize'],
  /** Leaking, swollen, under pressure, or about to burn. */
  hazard: ['none', 'present'],
  quantity: ['one', 'several'],
} as const;

function situation<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum([...values, 'unknown'] as const);
}

/** The state of a thing. An absent tag is as unknown as `unknown`. */
export const conditionSchema = z.object({
  cap: situation(situations.cap),
  rinsed: situation(situations.rinsed),
  contamination: situation(situations.contamination),
  label: situation(situations.label),
  contents: situation(situations.contents).optional(),
  attachments: situation(situations.attachments).optional(),
  damage: situation(situations.damage).optional(),
  size: situation(situations.size).optional(),
  hazard: situation(situations.hazard).optional(),
  quantity: situation(situations.quantity).optional(),
});

export const classificationSchema = z.object({
  waste_category: z.enum(wasteCategories),
  subcategory: z.string().min(1),
  item_id: z.string().nullable().meta({ description: 'An id of the item catalogue; null where no item fits.' }),
  item_name: z.string(),
  confidence: z.number().min(0).max(1),
  candidates: z
    .array(z.object({ item_id: z.string(), item_name: z.string(), confidence: z.number().min(0).max(1) }))
    .optional()
    .meta({ description: 'What else the thing may be, likeliest first; only where the engine was not certain.' }),
  others: z
    .array(z.object({ item_id: z.string().nullable(), item_name: z.string() }))
    .optional()
    .meta({ description: 'Further things in the photo, which the classification is not about.' }),
  condition: conditionSchema,
  engine: engineSchema,
  opinions: z
    .array(
      z.object({
        engine: engineSchema,
        item_id: z.string().nullable(),
        item_name: z.string(),
        waste_category: z.enum(wasteCategories),
        confidence: z.number().min(0).max(1),
      }),
    )
    .optional()
    .meta({ description: 'What each engine saw for itself; only where two of them answered.' }),
  agreement: z
    .enum(['item', 'bin', 'none'])
    .optional()
    .meta({ description: 'Whether they saw the same item, or at least the same material or bin; beside `opinions`.' }),
});

/** One sentence of the rules that matters for this item, condition and question. */
export const contextSentenceSchema = z.object({
  rule_id: z.string().min(1),
  version: z.string().min(1),
  kind: z.enum(['step', 'condition', 'prohibition', 'exception', 'confusion']),
  text: z.string().min(1),
  asked: z.literal(true).optional().meta({ description: 'Present where the question is about what it says.' }),
});

/** Where a thing goes, by its item, its condition and the rules. */
export const outcomeSchema = z.object({
  waste_category: z.enum(wasteCategories),
  subcategory: z.string().min(1).meta({ description: 'Korean term of the collection stream.' }),
  rule_id: z
    .string()
    .nullable()
    .meta({ description: 'The rule that sends it elsewhere than its item usually goes, because of its condition.' }),
});

/** The one question that decides what the thing is. */
export const clarificationSchema = z.object({
  question: z.string().min(1),
  options: z.array(
    z.object({
      item_id: z.string(),
      label: z.string().min(1),
      waste_category: z.enum(wasteCategories),
      subcategory: z.string(),
    }),
  ),
});

export const contextSchema = z.object({
  item_id: z.string().nullable(),
  item_name: z.string(),
  match: z
    .enum(['id', 'search', 'category'])
    .meta({ description: 'How the rules were found: by item id, by words, or only by category.' }),
  candidates: z.array(z.object({ item_id: z.string(), item_name: z.string(), score: z.number() })),
  confirmed: z
    .literal(true)
    .optional()
    .meta({ description: 'Present where the item is what the person said; vision’s confidence says nothing of it.' }),
  outcome: outcomeSchema.optional(),
  clarification: clarificationSchema
    .optional()
    .meta({ description: 'Present where it is not certain what the thing is.' }),
  seen: classificationSchema
    .optional()
    .meta({ description: 'What the opinions of two engines make together; absent where one engine looked alone.' }),
  sentences: z.array(contextSentenceSchema),
  catalogue_version: z.string().meta({ description: 'Of the rules that the sentences were taken from.' }),
  tokens: z.int().nonnegative(),
});

export const guidanceSchema = z.object({
  answer: z.string().min(1),
  steps: z.array(z.object({ text: z.string().min(1), rule_ids: z.array(z.string()).min(1) })),
  missing: z
    .array(z.string())
    .meta({ description: 'What the photo and the question do not tell; each a question back.' }),
  warnings: z.array(z.string()),
  outcome: outcomeSchema.optional(),
  sources: z.array(z.object({ rule_id: z.string(), version: z.string() })),
});

export type WasteCategory = (typeof wasteCategories)[number];
export type Locale = (typeof locales)[number];
export type ImageSource = z.infer<typeof imageSourceSchema>;
export type Request = z.infer<typeof requestSchema>;
export type Usage = z.infer<typeof usageSchema>;
/** The usage of a result that no model was called for. */
export const nothingUsed: Usage = { input_tokens: 0, output_tokens: 0, cost_usd: 0 };

export type Engine = z.infer<typeof engineSchema>;
export type Condition = z.infer<typeof conditionSchema>;
export type Classification = z.infer<typeof classificationSchema>;
export type ContextSentence = z.infer<typeof contextSentenceSchema>;
export type Outcome = z.infer<typeof outcomeSchema>;
export type Clarification = z.infer<typeof clarificationSchema>;
export type Context = z.infer<typeof contextSchema>;
export type Guidance = z.infer<typeof guidanceSchema>;
