import { Router, type Request, type Response } from 'express';
import * as z from 'zod';
import type { RequestStatus } from '@bunri/queue-contracts';
import {
  clarificationKey,
  newRequestId,
  planClarification,
  type ClarificationRefusal,
  type RequestRecord,
  type Said,
} from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { itemIdField, requireItem } from '../item-reference.ts';
import { readJson } from '../json-body.ts';
import { Problem, serviceUnavailable } from '../problem.ts';
import type { Refusal } from '../refusal.ts';
import { termsLike } from '../submission.ts';
import { submit, type SubmitDeps, type Submitted } from '../submit.ts';
import { answerSubmitted, classificationPath, signalGone, type AnswerDeps } from '../submitted-answer.ts';

export interface ClarificationDeps extends SubmitDeps, AnswerDeps {
  readonly admit: Admit;
  readonly refusal: Refusal;
  readonly forecast: AnswerDeps['forecast'];
}

export const clarifyBodySchema = z
  .strictObject({
    item_id: itemIdField.optional().meta({
      description: 'What the thing is: an id of the item catalogue, one of the options or any other.',
    }),
    text: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .optional()
      .meta({ description: 'What the thing is, in the person’s words.' }),
  })
  .refine(({ item_id, text }) => (item_id === undefined) !== (text === undefined), {
    error: 'must have either item_id or text',
  })
  .meta({ description: 'Exactly one of the two.' });

/** The person’s word on what the thing is: an answer to the question that was asked, or a correction. */
export function clarificationRoutes(deps: ClarificationDeps): Router {
  const { admit, reader, records } = deps;
  const router = Router();
  router.post(`${classificationPath}/:id/clarify`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    if (records.redis.status !== 'ready') throw serviceUnavailable();
    const said = toSaid(await readJson(clarifyBodySchema, request, response));
    const original = await reader.readOwned(request.params.id, owner);
    await answerClarification(deps, { request, response }, original, said);
  });
  return router;
}

function toSaid({ item_id: itemId, text = '' }: z.infer<typeof clarifyBodySchema>): Said {
  if (itemId === undefined) return { text };
  requireItem(itemId);
  return { itemId };
}

async function answerClarification(
  deps: ClarificationDeps,
  exchange: { request: Request; response: Response },
  original: RequestRecord,
  said: Said,
): Promise<void> {
  const gone = signalGone(exchange.response);
  let submitted = await submitOnce(deps, original, said, gone);
  // One that was open past its deadline was closed by looking at it, so that the person may try again now.
  if (submitted.replayed && cameToNothing(submitted.record.status)) {
    submitted = await submitOnce(deps, original, said, gone);
  }
  await answerSubmitted(deps, exchange, submitted, gone);
}

function cameToNothing(status: RequestStatus): boolean {
  return status === 'failed' || status === 'canceled';
}

/** @throws Problem as for a submission, and `not_ended`, `not_completed`, `classification_gone` */
async function submitOnce(
  deps: ClarificationDeps,
  original: RequestRecord,
  said: Said,
  signal: AbortSignal,
): Promise<Submitted> {
  const { owner, id: of } = original.request;
  const terms = { ...termsLike(original.request), from: 'rag' } as const;
  const plan = planClarification(original, said, { id: newRequestId(), now: deps.now(), deadlineMs: terms.deadlineMs });
  if (plan.outcome === 'refused') throw refused(plan.reason, original);
  const idempotency = clarificationKey(of, said);
  const status = await deps.records.claimed(owner, idempotency.key);
  // Its answer exists or is on its way: that is never refused.
  if (status === null || cameToNothing(status)) {
    await deps.refusal.ofOwner(owner, undefined);
    await deps.refusal.ofTerms(owner, undefined, terms);
  }
  return await submit(deps, plan.request, { idempotency, outputs: plan.outputs, signal });
}

function refused(reason: ClarificationRefusal, { status }: RequestRecord): Problem {
  switch (reason) {
    case 'open':
      return new Problem('not_ended', 'The request has not ended. Wait for its answer, then say what the thing is.');
    case 'unanswered':
      return new Problem('not_completed', `The request is ${status}: nothing was answered. Send the photo again.`);
    case 'nothing_seen':
      return new Problem(
        'classification_gone',
        'What was seen in the photo is not kept any more. Send the photo again, with what the thing is in the question.',
      );
  }
}
