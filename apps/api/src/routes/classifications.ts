import { Router, type Request, type Response } from 'express';
import * as z from 'zod';
import { isTerminal, resourceSchema } from '@bunri/queue-contracts';
import { newRequestId, toResource, TransientError, type RequestRecord } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { placeSchema, toPlace, unknownPlace, type Forecast, type Place } from '../forecast.ts';
import { discard, receive, type IntakeDeps } from '../intake.ts';
import { listRecords, pageSchema } from '../listing.ts';
import { parseInput, Problem, serviceUnavailable } from '../problem.ts';
import type { Refusal } from '../refusal.ts';
import { preferredWaitS, toIdempotency } from '../submission.ts';
import { createTurnstile, type Turnstile } from '../turnstile.ts';
import { AcceptanceUnknown, submit, type SubmitDeps, type Submitted } from '../submit.ts';
import { lingerThenClose } from '../upload.ts';
import { waitForEnd, type WaitDeps } from '../wait.ts';

export interface ClassificationDeps extends SubmitDeps, WaitDeps, IntakeDeps {
  readonly admit: Admit;
  readonly refusal: Refusal;
  readonly forecast: Forecast;
  readonly stopping: AbortSignal;
}

/**
 * Held photos on their way into the bucket at once: much less than the connections that the S3 client opens, so that streamed
 * ones and look-ups find one too. The client counts the time in which a call waits for a connection as silence of the server.
 */
const storesAtOnce = 40;
/** Whoever is not called by then would hold memory that others are refused for. */
const storePatienceMs = 10_000;

export const classificationPath = '/v1/classifications';
/** A request that is not finished yet, with its place, and where to look, listen and cancel. */
export const acceptedSchema = resourceSchema
  .extend({
    ...placeSchema.shape,
    links: z.object({ self: z.string(), events: z.string(), cancel: z.string() }),
  })
  .meta({ id: 'AcceptedClassification' });

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
    if (submitted.replayed) {
      response.set('Idempotent-Replayed', 'true');
      await discard(deps, upload);
    }
  } catch (error) {
    if (!(error instanceof AcceptanceUnknown)) await discard(deps, upload);
    throw error;
  } finally {
    upload?.letGo();
  }
  let { record, estimate } = submitted;
  response.locals['classificationId'] = record.request.id;

  const waitS = preferredWaitS(request.get('prefer'));
  const wasOpen = !isTerminal(record.status);
  if (waitS > 0 && wasOpen) {
    record = await waitForEnd(deps, record, waitS * 1000, AbortSignal.any([gone, deps.stopping]));
    // It was counted from the acceptance.
    estimate = null;
    if (isTerminal(record.status)) response.set('Preference-Applied', `wait=${waitS}`);
  }
  await sendSubmitted(deps, response, { record, estimate });
}

/** Aborts when the client goes away before it has its answer. */
function signalGone(response: Response): AbortSignal {
  const gone = new AbortController();
  const abort = () =>
    gone.abort(new Problem('invalid_request', 'The client went away before the request was accepted.'));
  if (response.destroyed) abort();
  response.once('close', () => {
    if (!response.writableFinished) abort();
  });
  return gone.signal;
}

async function sendSubmitted(
  deps: ClassificationDeps,
  response: Response,
  { record, estimate }: Pick<Submitted, 'record' | 'estimate'>,
): Promise<void> {
  const resource = toResource(record);
  const self = `${classificationPath}/${resource.id}`;
  response.location(self);
  if (isTerminal(resource.status)) {
    response.status(200).json(resource);
    return;
  }
  const links = { self, events: `${self}/events`, cancel: self };
  const known = record.status === 'queued' && estimate;
  const place = known ? toPlace(known, deps.now()) : await placeOf(deps, record);
  response.status(202).json({ ...resource, ...place, links });
}

/** Of a request that was accepted earlier, whether its place can be told or not. */
async function placeOf({ forecast, log, now }: ClassificationDeps, record: RequestRecord): Promise<Place> {
  const { request, status, turn } = record;
  if (status !== 'queued') return unknownPlace;
  try {
    return toPlace(await forecast.ofQueued(request.priority, turn), now());
  } catch (error) {
    log.warn('the place of a request could not be told', { request_id: request.id, error });
    return unknownPlace;
  }
}
