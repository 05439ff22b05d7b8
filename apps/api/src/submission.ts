import * as z from 'zod';
import {
  locales,
  metadataSchema,
  modelsSchema,
  requestSchema,
  type ImageSource,
  type Locale,
  type Request,
  type StageName,
} from '@bunri/queue-contracts';
import { sha256, type Idempotency } from '@bunri/runtime';
import { invalidField } from './problem.ts';

const defaultQuestions: Record<Locale, string> = {
  ko: '이 물건은 어떻게 분리배출하나요?',
  en: 'How do I dispose of this item?',
};
const maxInteractiveS = 600;
const maxBatchS = 86_400;
const defaultDeadlineS = { interactive: 120, batch: maxBatchS };
/** Longer waits are cut to this; proxies give up on silent connections not much later. */
const maxWaitS = 60;

const fields = {
  question: z.string().trim().max(1000).optional().meta({
    description: 'What to know about the thing in the photo; without it, how to discharge it.',
  }),
  locale: z.enum(locales).default('ko').meta({ description: 'Language of the answer.' }),
  deadline: z.coerce
    .number()
    .int()
    .min(5)
    .max(maxBatchS)
    .optional()
    .meta({
      description:
        'Seconds until the answer is of no use any more: 120 by default and at most 600 for interactive requests, a day for batch.',
      override: { type: 'integer' },
    }),
  priority: requestSchema.shape.priority.default('interactive'),
  models: modelsSchema.optional().meta({
    description:
      'Who is to look at the photo, instead of the usual model: one, or two whose opinions are compared. In a form: repeated, or separated by commas.',
  }),
  region: z.string().trim().min(1).max(64).optional().meta({
    description: 'The municipality whose rules are to be told, as people name it; without it, the national rules.',
  }),
  metadata: metadataSchema.optional().meta({
    description: 'Up to 16 short texts of your own, which are given back. In a form: a JSON text.',
  }),
  webhook_url: z.string().min(1).max(2048).optional().meta({
    description: 'https URL on a public host that is told of the end, whatever it is.',
  }),
};

export const uploadIdSchema = z
  .string()
  .regex(/^upload_[0-9a-f]{32}$/, 'must be an upload_id of POST /v1/uploads')
  .meta({ description: 'A photo that was put where `POST /v1/uploads` said.' });

function deadlineFits({ deadline, priority }: { deadline?: number | undefined; priority: string }): boolean {
  return priority === 'batch' || deadline === undefined || deadline <= maxInteractiveS;
}
const deadlineRule = { path: ['deadline'], error: `must be at most ${maxInteractiveS} for an interactive request` };

/** The fields of the multipart form, beside a photo or in place of one. */
export const formSchema = z
  .strictObject({ ...fields, upload_id: uploadIdSchema.optional() })
  .refine(deadlineFits, deadlineRule);
/** The JSON body. */
export const urlSubmissionSchema = z
  .strictObject({
    image_url: z.string().max(2048).optional().meta({ description: 'https URL of a photo on a public host.' }),
    upload_id: uploadIdSchema.optional(),
    ...fields,
  })
  .refine(({ image_url, upload_id }) => (image_url === undefined) !== (upload_id === undefined), {
    path: ['image_url'],
    error: 'or upload_id must be given, and not both',
  })
  .refine(deadlineFits, deadlineRule);

/** Parameters that may stand in the query, so that they are known before anything of the body is read. */
export const submitQuerySchema = z.strictObject({
  priority: requestSchema.shape.priority.optional().meta({
    description: 'As in the body; here it is known before the photo is sent.',
  }),
  deadline: fields.deadline,
});
type SubmitQuery = z.infer<typeof submitQuerySchema>;

/** When the answer is wanted. */
export interface Terms {
  readonly priority: Request['priority'];
  readonly deadlineMs: number;
  /** The first stage that has anything to do. Default: the first of all. */
  readonly from?: StageName;
  /** Who is to look at the photo, where that is known. */
  readonly models?: string[] | undefined;
}

/** What the client asked for, with every default filled in. */
export interface Submission extends Terms {
  readonly question: string;
  readonly locale: Locale;
  readonly region?: string | undefined;
  readonly metadata?: Record<string, string> | undefined;
  readonly webhookUrl?: string | undefined;
}

/**
 * The body's fields with what the query says. What is no object is left to its schema.
 * @throws Problem `invalid_request` where the two contradict each other.
 */
export function joinQuery(query: SubmitQuery, body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const given = body as Record<string, unknown>;
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || given[name] === undefined) continue;
    const same = typeof value === 'number' ? Number(given[name]) === value : given[name] === value;
    if (!same) throw invalidField(name, 'is not what the query parameter of this name says');
  }
  return { ...query, ...given };
}

/** What any body can make of this query at most, the earliest class and the latest deadline; null where it says nothing. */
export function leastTerms({ priority, deadline }: SubmitQuery): Terms | null {
  if (priority === undefined && deadline === undefined) return null;
  const latestS = priority === 'interactive' ? maxInteractiveS : maxBatchS;
  return { priority: priority ?? 'interactive', deadlineMs: (deadline ?? latestS) * 1000 };
}

const termsSchema = z
  .object({ priority: fields.priority, deadline: fields.deadline, models: fields.models })
  .refine(deadlineFits);

/**
 * The terms of a form of which only these fields have come, with the defaults for what is missing; null where they do not
 * go together, as they may when all have come.
 */
export function termsSoFar(query: SubmitQuery, form: Record<string, string>): Terms | null {
  const { priority, deadline, models } = { ...query, ...form } as Record<string, string | undefined>;
  const known = termsSchema.safeParse({ priority, deadline, models: models?.split(',').map((name) => name.trim()) });
  return known.success ? toTerms(known.data) : null;
}

function toTerms({ priority, deadline = defaultDeadlineS[priority], models }: z.infer<typeof termsSchema>): Terms {
  return { priority, deadlineMs: deadline * 1000, models };
}

/** The terms of another request like this one, whose own deadline an operator may have put off. */
export function termsLike({ priority, createdAt, deadlineAt }: Request): Terms {
  const latestS = priority === 'interactive' ? maxInteractiveS : maxBatchS;
  return { priority, deadlineMs: Math.min(deadlineAt - createdAt, latestS * 1000) };
}

export function toSubmission(input: Omit<z.infer<typeof formSchema>, 'upload_id'>): Submission {
  const { question, locale, models, region, metadata, webhook_url: webhookUrl } = input;
  const wishes = { models, region, metadata, webhookUrl };
  return { question: question || defaultQuestions[locale], locale, ...toTerms(input), ...wishes };
}

/** The fields of a form as JSON would have them. @throws Problem `invalid_request` */
export function fromForm({ models, metadata, ...others }: Record<string, string>): Record<string, unknown> {
  return {
    ...others,
    ...(models === undefined ? {} : { models: models.split(',').map((name) => name.trim()) }),
    ...(metadata === undefined ? {} : { metadata: parseMetadata(metadata) }),
  };
}

function parseMetadata(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidField('metadata', 'must be a JSON object in a form');
  }
}

export const idempotencyKeySchema = z.string().min(1).max(255);
export const idempotencyHeaderField = idempotencyKeySchema.optional().meta({
  description:
    'The same key with the same body within a day gives the first request again. A photo counts by its bytes, or by its URL.',
});

/**
 * The client's key with a fingerprint of what it asks for, so that a key that was used for something else is noticed.
 * The photo counts by its bytes, not by the name or the order in which it was sent.
 */
export function toIdempotency(
  key: string | undefined,
  submission: Submission,
  source: ImageSource,
): Idempotency | undefined {
  const { question, locale, priority, deadlineMs, models, region, metadata, webhookUrl } = submission;
  const wishes = { models, region, metadata: metadata && sortedEntries(metadata), webhookUrl };
  // Only where there are any, so that the fingerprint of what has none stays what it was.
  const more = Object.values(wishes).some((wish) => wish !== undefined) ? [wishes] : [];
  const meaning = [source.kind, imageOf(source), question, locale, priority, deadlineMs, ...more];
  return idempotencyOf(key, ['/v1/classifications', ...meaning]);
}

function sortedEntries(metadata: Record<string, string>): [string, string][] {
  return Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function imageOf(source: ImageSource): string {
  switch (source.kind) {
    case 'upload':
      return source.sha256;
    case 'url':
      return source.url;
    case 'object':
      return `${source.key} ${source.etag}`;
  }
}

/** @param meaning all that makes this request another than others of the key's owner. @throws Problem `invalid_request` */
export function idempotencyOf(key: string | undefined, meaning: readonly unknown[]): Idempotency | undefined {
  if (key === undefined) return undefined;
  if (!idempotencyKeySchema.safeParse(key).success)
    throw invalidField('Idempotency-Key', 'must have 1 to 255 characters');
  return { key, fingerprint: sha256(JSON.stringify(['POST', ...meaning])) };
}

/** Seconds to wait of a `Prefer` header (RFC 7240), 0 without such a preference. */
export function preferredWaitS(prefer: string | undefined): number {
  const [, seconds = '0'] = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(prefer ?? '') ?? [];
  return Math.min(Number(seconds), maxWaitS);
}
