import {
  classificationSchema,
  locales,
  outcomeSchema,
  requestIdSchema,
  type Classification,
  type Outcome,
} from '@bunri/queue-contracts';
import { buildContext, itemById, minTokenBudget } from '@bunri/knowledge';
import { dayInSeoul, objectKeys, toResource, type Logger, type RequestRecord, type Storage } from '@bunri/runtime';
import * as z from 'zod';
import { itemIdField } from './item-reference.ts';

export const feedbackBodySchema = z
  .strictObject({
    item_id: itemIdField.optional().meta({ description: 'What the thing really is: an id of the item catalogue.' }),
    helpful: z.boolean().optional(),
    comment: z.string().trim().min(1).max(500).optional(),
  })
  .refine((given) => Object.values(given).some((value) => value !== undefined), {
    error: 'must have item_id, helpful or comment',
  })
  .meta({ description: 'At least one of the three. It takes the place of what was said before.' });

const placeSchema = outcomeSchema.pick({ waste_category: true, subcategory: true });

/** What a person said of an answer, with all that makes it a case for an evaluation; as it is stored, and answered. */
export const feedbackSchema = z
  .object({
    request_id: requestIdSchema,
    question: z.string(),
    locale: z.enum(locales),
    classification: classificationSchema.nullable().meta({ description: 'What vision had said.' }),
    item_id: z.string().nullable(),
    outcome: placeSchema.nullable().meta({
      description: 'Where that item goes in the condition that was seen, by the rules at the time of the feedback.',
    }),
    helpful: z.boolean().nullable(),
    comment: z.string().nullable(),
    requested_at: z.iso.datetime(),
    given_at: z.iso.datetime(),
  })
  .meta({ id: 'Feedback' });
export type Feedback = z.infer<typeof feedbackSchema>;

/** One line of the export: a case as the evaluation reads it. */
export const evaluationCaseSchema = z
  .object({
    id: z.string().meta({ description: '`feedback-` and the id of the request.' }),
    locale: z.enum(locales),
    question: z.string(),
    vision: classificationSchema.omit({ engine: true }),
    expect: z.object({
      item_id: z.string(),
      category: z.string().meta({ description: 'Korean term of the collection stream.' }),
    }),
  })
  .meta({ id: 'EvaluationCase' });
export type EvaluationCase = z.infer<typeof evaluationCaseSchema>;

/** Pure. `now` in epoch ms. @throws for an item that is not in the catalogue */
export function toFeedback(record: RequestRecord, given: z.infer<typeof feedbackBodySchema>, now: number): Feedback {
  const { id, question, locale, createdAt } = record.request;
  // Where two looked, of both together; where the local model did, its own.
  const { classification } = toResource(record);
  const { item_id = null, helpful = null, comment = null } = given;
  return {
    request_id: id,
    question,
    locale,
    classification,
    item_id,
    outcome: item_id === null ? null : outcomeOf(item_id, classification),
    helpful,
    comment,
    requested_at: new Date(createdAt).toISOString(),
    given_at: new Date(now).toISOString(),
  };
}

/** The item's own place, or where the rules send it in the condition that vision saw. */
function outcomeOf(itemId: string, seen: Classification | null): Pick<Outcome, 'waste_category' | 'subcategory'> {
  const item = itemById(itemId);
  if (!item) throw new Error(`the item ${itemId} is not in the catalogue`);
  const own = { waste_category: item.wasteCategory, subcategory: item.subcategory };
  if (!seen) return own;
  const { candidates: _unsure, ...classification } = {
    ...seen,
    item_id: itemId,
    item_name: item.names.ko,
    confidence: 1,
  };
  // Not by the question: it may be about another thing, and what it says of this one the evaluation is to find out.
  const context = buildContext({ classification, question: '', locale: 'ko', tokenBudget: minTokenBudget });
  const { waste_category, subcategory } = context.outcome ?? own;
  return { waste_category, subcategory };
}

/**
 * Null where nobody said what the thing is, nothing had been seen to compare that with, or the item has left the catalogue
 * since: an evaluation refuses a file that names it.
 */
export function toEvaluationCase(feedback: Feedback): EvaluationCase | null {
  const { request_id, locale, question, classification, item_id, outcome } = feedback;
  if (classification === null || item_id === null || outcome === null || !itemById(item_id)) return null;
  const { engine: _engine, item_id: seen, ...rest } = classification;
  const vision = { ...rest, item_id: seen !== null && itemById(seen) ? seen : null };
  return { id: `feedback-${request_id}`, locale, question, vision, expect: { item_id, category: outcome.subcategory } };
}

/** One object a request, below the day on which the request was made in Seoul, so that a later word replaces an earlier. */
export async function storeFeedback(storage: Pick<Storage, 'put'>, feedback: Feedback): Promise<void> {
  const key = objectKeys.feedback(dayInSeoul(Date.parse(feedback.requested_at)), feedback.request_id);
  await storage.put(key, Buffer.from(JSON.stringify(feedback)), 'application/json');
}

const pageSize = 200;
const readsAtOnce = 8;

/**
 * Feedback on requests of these days (`YYYY-MM-DD`, both inclusive), the earliest first; a few objects are in memory at a
 * time. An object that is no feedback is logged and left out.
 *
 * @throws TransientError `storage_unavailable`; the reason of an abort
 */
export async function* readFeedback(
  storage: Pick<Storage, 'list' | 'getBytes'>,
  {
    since,
    until,
    signal,
    log,
  }: { since?: string | undefined; until?: string | undefined; signal: AbortSignal; log: Logger },
): AsyncGenerator<Feedback> {
  const after = since === undefined ? undefined : objectKeys.feedback(since);
  // The character after the slash, so that all of the last day comes before.
  const end = until === undefined ? undefined : objectKeys.feedback(until).replace(/\/$/, '0');
  for await (const page of storage.list('feedback/', pageSize, { after, signal })) {
    const keys = page.map(({ key }) => key).filter((key) => end === undefined || key < end);
    for (let i = 0; i < keys.length; i += readsAtOnce) {
      const some = keys.slice(i, i + readsAtOnce);
      const found = await Promise.all(
        some.map(async (key) => parseFeedback(await storage.getBytes(key, signal), key, log)),
      );
      yield* found.filter((feedback) => feedback !== null);
    }
    if (keys.length < page.length) return;
  }
}

/** Null also for an object that was removed since it was listed. */
function parseFeedback(bytes: Uint8Array | null, key: string, log: Logger): Feedback | null {
  if (bytes === null) return null;
  try {
    return feedbackSchema.parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    // What it says is not ours to log.
    log.warn('an object is no feedback and was left out', { key });
    return null;
  }
}
