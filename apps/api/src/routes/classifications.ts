import { Router, type Request, type Response } from 'express';
import { newRequestId, toResource, TransientError } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { discard, receive, type IntakeDeps } from '../intake.ts';
import { listRecords, pageSchema } from '../listing.ts';
import { parseInput, Problem, serviceUnavailable } from '../problem.ts';
import type { Refusal } from '../refusal.ts';
import { toIdempotency } from '../submission.ts';
import { createTurnstile, type Turnstile } from '../turnstile.ts';
import { AcceptanceUnknown, submit, type SubmitDeps, type Submitted } from '../submit.ts';
import { answerSubmitted, classificationPath, signalGone, type AnswerDeps } from '../submitted-answer.ts';
import { lingerThenClose } from '../upload.ts';

export interface ClassificationDeps extends SubmitDeps, AnswerDeps, IntakeDeps {
  readonly admit: Admit;
  readonly refusal: Refusal;
  readonly forecast: AnswerDeps['forecast'];
}

/**
 * Held photos on their way into the bucket at once: much less than the connections that the S3 client opens, so that streamed
 * ones and look-ups find one too. The client counts the time in which a call waits for a connection as silence of the server.
 */
const storesAtOnce = 40;
/** Whoever is not called by then would hold memory that others are refused for. */
const storePatienceMs = 10_000;

export function classificationRoutes(deps: ClassificationDeps): Router {
  const { admit, reader, records } = deps;
  const storing = createTurnstile({ limit: storesAtOnce, patienceMs: storePatienceMs, tooLong: storageBusy });
  const router = Router();

  router.post(classificationPath, async (request, response) => {
    // Registered first, since a refusal of any kind may come before the body was read.
    lingerThenClose(request, response);
    const { owner } = await admit(request, response, 'submit');
    // Without Redis nothing can be accepted: said before the upload is taken.
    if (records.redis.status !== 'ready') throw serviceUnavailable();
    await deps.refusal.ofOwner(owner, request.get('idempotency-key'));
    await answerSubmission({ ...deps, storing }, request, response, owner);
  });

  router.get(classificationPath, async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    response.json(await listRecords({ records, reader }, owner, parseInput(pageSchema, request.query)));
  });

  router.get(`${classificationPath}/:id`, async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    const record = await reader.readOwned(request.params.id, owner);
    response.locals['classificationId'] = record.request.id;
    response.json(toResource(record));
  });

  router.delete(`${classificationPath}/:id`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const {
      request: { id },
    } = await reader.readOwned(request.params.id, owner);
    response.locals['classificationId'] = id;
    const { outcome } = await records.cancel(id);
    const record = await reader.readOwned(id, owner);
    if (outcome !== 'ended') {
      throw new Problem('already_ended', `The request is ${record.status} already: there is nothing left to cancel.`);
    }
    response.json(toResource(record));
  });

  return router;
}

function storageBusy(): Error {
  return new TransientError('storage_unavailable', 'too many photos wait to be stored; try again later');
}

async function answerSubmission(
  deps: ClassificationDeps & { readonly storing: Turnstile },
  request: Request,
  response: Response,
  owner: string,
): Promise<void> {
  const id = newRequestId();
  const key = request.get('idempotency-key');
  const gone = signalGone(response);
  const { source, submission, upload } = await receive(deps, { request, response }, id, async (terms) => {
    await deps.refusal.ofTerms(owner, key, terms);
  });
  const createdAt = deps.now();
  const { question, locale, priority, deadlineMs } = submission;
  const order = { id, owner, question, locale, source, priority, createdAt, deadlineAt: createdAt + deadlineMs };
  let submitted: Submitted;
  try {
    const idempotency = toIdempotency(key, submission, source);
    const store = upload ? async () => await deps.storing(upload.store, gone) : undefined;
    submitted = await submit(deps, order, { store, idempotency, now: deps.now, signal: gone });
    if (submitted.replayed) await discard(deps, upload);
  } catch (error) {
    if (!(error instanceof AcceptanceUnknown)) await discard(deps, upload);
    throw error;
  } finally {
    upload?.letGo();
  }
  await answerSubmitted(deps, { request, response }, submitted, gone);
}
