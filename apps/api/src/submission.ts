import * as z from 'zod';
import {
  locales,
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
};

function deadlineFits({ deadline, priority }: { deadline?: number | undefined; priority: string }): boolean {
  return priority === 'batch' || deadline === undefined || deadline <= maxInteractiveS;
}
const deadlineRule = { path: ['deadline'], error: `must be at most ${maxInteractiveS} for an interactive request` };

/** The text fields of the multipart form. */
export const formSchema = z.strictObject(fields).refine(deadlineFits, deadlineRule);
/** The JSON body. */
export const urlSubmissionSchema = z
  .strictObject({
    image_url: z.string().max(2048).meta({ description: 'https URL of a photo on a public host.' }),
    ...fields,
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
}

/** What the client asked for, with every default filled in. */
export interface Submission extends Terms {
  readonly question: string;
  readonly locale: Locale;
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

const termsSchema = z.object({ priority: fields.priority, deadline: fields.deadline }).refine(deadlineFits);

/**
 * The terms of a form of which only these fields have come, with the defaults for what is missing; null where they do not
 * go together, as they may when all have come.
 */
export function termsSoFar(query: SubmitQuery, form: Record<string, string>): Terms | null {
  const known = termsSchema.safeParse({ ...query, ...form });
  return known.success ? toTerms(known.data) : null;
}

function toTerms({ priority, deadline = defaultDeadlineS[priority] }: z.infer<typeof termsSchema>): Terms {
  return { priority, deadlineMs: deadline * 1000 };
}

/** The terms of another request like this one, whose own deadline an operator may have put off. */
export function termsLike({ priority, createdAt, deadlineAt }: Request): Terms {
  const latestS = priority === 'interactive' ? maxInteractiveS : maxBatchS;
  return { priority, deadlineMs: Math.min(deadlineAt - createdAt, latestS * 1000) };
}

export function toSubmission(input: z.infer<typeof formSchema>): Submission {
  const { question, locale } = input;
  return { question: question || defaultQuestions[locale], locale, ...toTerms(input) };
}

export const idempotencyKeySchema = z.string().min(1).max(255);
export const idempotencyHeaderField = idempotencyKeySchema.optional().meta({
  description: 'The same key with the same body within a day gives the first request again.',
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
  const image = source.kind === 'upload' ? source.sha256 : source.url;
  const { question, locale, priority, deadlineMs } = submission;
  return idempotencyOf(key, ['/v1/classifications', source.kind, image, question, locale, priority, deadlineMs]);
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
