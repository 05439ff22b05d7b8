import type { Request, Response } from 'express';
import { isTerminal, resourceSchema } from '@bunri/queue-contracts';
import { flowOrder, toResource, type RequestRecord } from '@bunri/runtime';
import * as z from 'zod';
import { placeSchema, toPlace, unknownPlace, type Forecast, type Place } from './forecast.ts';
import { Problem } from './problem.ts';
import { preferredWaitS } from './submission.ts';
import type { Submitted } from './submit.ts';
import { waitForEnd, type WaitDeps } from './wait.ts';

export interface AnswerDeps extends WaitDeps {
  readonly forecast: Forecast;
  readonly stopping: AbortSignal;
}

export const classificationPath = '/v1/classifications';
/** A request that is not finished yet, with its place, and where to look, listen and cancel. */
export const acceptedSchema = resourceSchema
  .extend({
    ...placeSchema.shape,
    links: z.object({ self: z.string(), events: z.string(), cancel: z.string() }),
  })
  .meta({ id: 'AcceptedClassification' });

/** A request as it stands; only one that no worker has taken yet has a place. */
export const standingSchema = resourceSchema
  .extend(placeSchema.partial().shape)
  .meta({ id: 'StandingClassification', description: '`position` and the estimate are there while it is queued.' });

export const preferHeaderField = z
  .string()
  .optional()
  .meta({ description: '`wait=N`: wait up to N seconds, at most 60, for the answer.' });

/** Answers with the request: 200 once it has ended, where the client would wait for that, else 202 with where to look. */
export async function answerSubmitted(
  deps: AnswerDeps,
  { request, response }: { request: Request; response: Response },
  submitted: Submitted,
  gone: AbortSignal,
): Promise<void> {
  let { record, estimate } = submitted;
  response.locals['classificationId'] = record.request.id;
  if (submitted.replayed) response.set('Idempotent-Replayed', 'true');
  const waitS = preferredWaitS(request.get('prefer'));
  if (waitS > 0 && !isTerminal(record.status)) {
    record = await waitForEnd(deps, record, waitS * 1000, AbortSignal.any([gone, deps.stopping]));
    // It was counted from the acceptance.
    estimate = null;
    if (isTerminal(record.status)) response.set('Preference-Applied', `wait=${waitS}`);
  }
  await sendSubmitted(deps, response, { record, estimate });
}

/** Aborts when the client goes away before it has its answer. */
export function signalGone(response: Response): AbortSignal {
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
  deps: AnswerDeps,
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

/** Of a request that was accepted earlier, whether its place can be told or not. One round trip, and none once it is in work. */
export async function placeOf(
  { forecast, log, now }: Pick<AnswerDeps, 'forecast' | 'log' | 'now'>,
  record: RequestRecord,
): Promise<Place> {
  const { request, status, turn } = record;
  if (status !== 'queued') return unknownPlace;
  const { from } = flowOrder(record);
  try {
    return toPlace(await forecast.ofQueued(request.priority, turn, { from, models: request.models }), now());
  } catch (error) {
    log.warn('the place of a request could not be told', { request_id: request.id, error });
    return unknownPlace;
  }
}
