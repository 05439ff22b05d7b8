import { Router, type Request, type Response } from 'express';
import { newRequestId, toResource, TransientError } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { discard, receive, type IntakeDeps } from '../intake.ts';
import { listQuerySchema, listRecords } from '../listing.ts';
import { parseInput, serviceUnavailable } from '../problem.ts';
import type { Refusal } from '../refusal.ts';
import { preferredWaitS, toIdempotency } from '../submission.ts';
import { createTurnstile, type Turnstile } from '../turnstile.ts';
import { AcceptanceUnknown, submit, type SubmitDeps, type Submitted } from '../submit.ts';
import { answerSubmitted, classificationPath, placeOf, signalGone, type AnswerDeps } from '../submitted-answer.ts';
import { lingerThenClose } from '../upload.ts';
import { waitForEnd } from '../wait.ts';

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
    response.json(await listRecords({ records, reader }, owner, parseInput(listQuerySchema, request.query)));
  });

  router.get(`${classificationPath}/:id`, async (request, response) => {
    const { owner } = await admit(request, response, 'read');
    let record = await reader.readOwned(request.params.id, owner);
    response.locals['classificationId'] = record.request.id;
    const waitS = preferredWaitS(request.get('prefer'));
    if (waitS > 0) {
      const signal = AbortSignal.any([signalGone(response), deps.stopping]);
      record = await waitForEnd(deps, record, waitS * 1000, signal);
      response.set('Preference-Applied', `wait=${waitS}`);
    }
    // A request has a place in the line until a worker takes it.
    const place = record.status === 'queued' ? await placeOf(deps, record) : {};
    response.json({ ...toResource(record), ...place });
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
  const { source, submission, upload } = await receive(deps, { request, response }, { id, owner }, async (terms) => {
    await deps.refusal.ofTerms(owner, key, terms);
  });
  const createdAt = deps.now();
  const { deadlineMs, ...asked } = submission;
  const order = { id, owner, ...asked, source, createdAt, deadlineAt: createdAt + deadlineMs };
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
