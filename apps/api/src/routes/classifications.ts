import { promisify } from 'node:util';
import express, { Router, type Request, type Response } from 'express';
import { z } from 'zod';
import { isTerminal, resourceSchema, type ImageSource, type Resource } from '@bunri/queue-contracts';
import { newRequestId, objectKeys, toResource, type Logger, type RequestRecord, type Storage } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { checkImageUrl } from '../image-url.ts';
import { listRecords, pageSchema } from '../listing.ts';
import type { MemoryGuard } from '../memory-guard.ts';
import { parseInput, Problem, serviceUnavailable } from '../problem.ts';
import {
  formSchema,
  preferredWaitS,
  toIdempotency,
  toSubmission,
  urlSubmissionSchema,
  type Submission,
} from '../submission.ts';
import { AcceptanceUnknown, submit, type SubmitDeps } from '../submit.ts';
import { lingerThenClose, receiveForm } from '../upload.ts';
import { waitForEnd, type WaitDeps } from '../wait.ts';

export interface ClassificationDeps extends SubmitDeps, WaitDeps {
  readonly admit: Admit;
  readonly memory: MemoryGuard;
  readonly allowHttpImageUrls: boolean;
  readonly stopping: AbortSignal;
}

export const classificationPath = '/v1/classifications';
/** A request that is not finished yet, with where to look, listen and cancel. */
export const acceptedSchema = resourceSchema
  .extend({ links: z.object({ self: z.string(), events: z.string(), cancel: z.string() }) })
  .meta({ id: 'AcceptedClassification' });

const fullRetryAfterS = 60;

function memoryFull(): Problem {
  const detail = `The queue is full and takes no new requests until older ones have been cleaned up. Send the request again in ${fullRetryAfterS} seconds.`;
  return new Problem('service_unavailable', detail, { retryAfterS: fullRetryAfterS });
}

const parseJson = promisify(express.json({ limit: '16kb' }));

export function classificationRoutes(deps: ClassificationDeps): Router {
  const { admit, reader, records } = deps;
  const router = Router();

  router.post(classificationPath, async (request, response) => {
    // Registered first, since a refusal of any kind may come before the body was read.
    lingerThenClose(request, response);
    const { owner } = await admit(request, response, 'submit');
    // Without Redis nothing can be accepted: said before the upload is taken.
    if (records.redis.status !== 'ready') throw serviceUnavailable();
    if (!(await deps.memory.hasRoom())) throw memoryFull();
    await answerSubmission(deps, request, response, owner);
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

async function answerSubmission(
  deps: ClassificationDeps,
  request: Request,
  response: Response,
  owner: string,
): Promise<void> {
  const id = newRequestId();
  const { source, submission } = await receive(deps, request, response, id);
  const createdAt = deps.now();
  const { question, locale, priority, deadlineMs } = submission;
  const order = { id, owner, question, locale, source, priority, createdAt, deadlineAt: createdAt + deadlineMs };
  let record: RequestRecord;
  try {
    const submitted = await submit(deps, order, toIdempotency(request.get('idempotency-key'), submission, source));
    record = submitted.record;
    if (submitted.replayed) {
      response.set('Idempotent-Replayed', 'true');
      await discard(deps, source);
    }
  } catch (error) {
    if (!(error instanceof AcceptanceUnknown)) await discard(deps, source);
    throw error;
  }
  response.locals['classificationId'] = record.request.id;

  const waitS = preferredWaitS(request.get('prefer'));
  const wasOpen = !isTerminal(record.status);
  if (waitS > 0 && wasOpen) {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, deps.stopping]);
    record = await waitForEnd(deps, record, waitS * 1000, signal);
    if (isTerminal(record.status)) response.set('Preference-Applied', `wait=${waitS}`);
  }
  sendSubmitted(response, toResource(record));
}

function sendSubmitted(response: Response, resource: Resource): void {
  const self = `${classificationPath}/${resource.id}`;
  response.location(self);
  if (isTerminal(resource.status)) response.status(200).json(resource);
  else response.status(202).json({ ...resource, links: { self, events: `${self}/events`, cancel: self } });
}

/** Reads the body in either of its two forms; a photo is in the bucket afterwards. */
async function receive(
  { storage, allowHttpImageUrls, log }: ClassificationDeps,
  request: Request,
  response: Response,
  id: string,
): Promise<{ source: ImageSource; submission: Submission }> {
  if (request.is('multipart/form-data')) {
    const { fields, image } = await receiveForm(request, { storage, key: objectKeys.upload(id) });
    const source: ImageSource = { kind: 'upload', ...image };
    try {
      return { source, submission: toSubmission(parseInput(formSchema, fields)) };
    } catch (error) {
      await discard({ storage, log }, source);
      throw error;
    }
  }
  if (request.is('application/json')) {
    await parseJson(request, response);
    const { image_url, ...fields } = parseInput(urlSubmissionSchema, request.body);
    const url = checkImageUrl(image_url, { allowHttp: allowHttpImageUrls });
    return { source: { kind: 'url', url }, submission: toSubmission(fields) };
  }
  const detail = 'Send multipart/form-data with an image file, or application/json with an image_url.';
  throw new Problem('media_type_unsupported', detail);
}

/** Removes the upload of a request that does not come to be. */
async function discard({ storage, log }: { storage: Storage; log: Logger }, source: ImageSource): Promise<void> {
  if (source.kind !== 'upload') return;
  try {
    await storage.remove([source.key]);
  } catch (error) {
    // The client's answer is another matter; the object goes when its retention ends.
    log.warn('an upload without a request could not be removed', { error });
  }
}
