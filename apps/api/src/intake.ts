import type { Request, Response } from 'express';
import type { ImageSource } from '@bunri/queue-contracts';
import { objectKeys, type Logger, type Storage } from '@bunri/runtime';
import type { OutboundPolicy } from '@bunri/runtime/public-fetch';
import type { SharedByteBudget } from './byte-budget.ts';
import { checkImageUrl, checkWebhookUrl } from './image-url.ts';
import { receiveJson } from './json-body.ts';
import type { ModelAdmission } from './model-admission.ts';
import type { Upload } from './photo.ts';
import { parseInput, Problem } from './problem.ts';
import {
  formSchema,
  fromForm,
  joinQuery,
  leastTerms,
  submitQuerySchema,
  termsSoFar,
  toSubmission,
  urlSubmissionSchema,
  type Submission,
  type Terms,
} from './submission.ts';
import { receiveForm } from './upload.ts';
import type { Uploads } from './uploads.ts';

export interface IntakeDeps extends ModelAdmission {
  readonly storage: Storage;
  /** For all photos that this process holds. */
  readonly photoBudget: SharedByteBudget;
  /** Photos that clients put into the bucket themselves. */
  readonly uploads: Uploads;
  readonly allowHttpImageUrls: boolean;
  /** What a webhook_url may lead to; null where nobody is told of anything. */
  readonly webhookUrls: OutboundPolicy | null;
  readonly log: Logger;
}

interface Received {
  readonly source: ImageSource;
  readonly submission: Submission;
  /** The photo, where one was sent. It need not be in the bucket yet, and whoever takes it over has to let go of it. */
  readonly upload: Upload | null;
}

/** Asked as soon as the terms of a request are known, and once more if they turn out to be others; throws to refuse it. */
type Judge = (terms: Terms) => Promise<void>;

/**
 * Reads a submission in either of its two forms. It is judged before anything is read
 * where the query tells its terms, else at the latest before the first byte of the photo.
 *
 * @throws Problem, TransientError `storage_unavailable`, and what `judge` throws; then nothing stays in the bucket.
 */
export async function receive(
  deps: IntakeDeps,
  exchange: { request: Request; response: Response },
  { id, owner }: { id: string; owner: string },
  judge: Judge,
): Promise<Received> {
  const { request, response } = exchange;
  const query = parseInput(submitQuerySchema, request.query);
  const judgeOnce = judgeEachOnce(judge);
  const least = leastTerms(query);
  if (least) await judgeOnce(least);
  if (request.is('multipart/form-data')) {
    const key = objectKeys.upload(id);
    const { fields, upload } = await receiveForm(request, {
      storage: deps.storage,
      key,
      budget: deps.photoBudget.of(owner),
      beforePhoto: async (soFar) => {
        const terms = termsSoFar(query, soFar);
        if (terms) await judgeOnce(terms);
      },
    });
    try {
      const input = parseInput(formSchema, joinQuery(query, fromForm(fields)));
      const submission = await admitted(deps, toSubmission(input));
      await judgeOnce(submission);
      if (upload) return { source: { kind: 'upload', key, ...upload.facts }, submission, upload };
      return { source: await deps.uploads.take(owner, input.upload_id ?? '', id), submission, upload };
    } catch (error) {
      await discard(deps, upload);
      throw error;
    }
  }
  if (request.is('application/json')) {
    await receiveJson(request, response, { isLarge: true });
    const { image_url, upload_id, ...fields } = parseInput(urlSubmissionSchema, joinQuery(query, request.body));
    const url = image_url === undefined ? null : checkImageUrl(image_url, { allowHttp: deps.allowHttpImageUrls });
    const submission = await admitted(deps, toSubmission(fields));
    await judgeOnce(submission);
    if (url !== null) return { source: { kind: 'url', url }, submission, upload: null };
    return { source: await deps.uploads.take(owner, upload_id ?? '', id), submission, upload: null };
  }
  const detail = 'Send multipart/form-data with an image file, or application/json with an image_url or an upload_id.';
  throw new Problem('media_type_unsupported', detail);
}

/** @throws Problem for models that are not served, and for a webhook_url that must not be asked. */
async function admitted(deps: IntakeDeps, submission: Submission): Promise<Submission> {
  const { models, webhookUrl } = submission;
  if (models) await deps.requireServed(models);
  return webhookUrl === undefined
    ? submission
    : { ...submission, webhookUrl: checkWebhookUrl(webhookUrl, deps.webhookUrls) };
}

/** The load does not change while a body is read so that it would have to be asked again. */
function judgeEachOnce(judge: Judge): Judge {
  const passed = new Set<string>();
  return async ({ priority, deadlineMs, models }) => {
    const terms = `${priority} ${deadlineMs} ${models?.join() ?? ''}`;
    if (passed.has(terms)) return;
    await judge({ priority, deadlineMs, models });
    passed.add(terms);
  };
}

/** Removes the upload of a request that does not come to be. */
export async function discard({ log }: { log: Logger }, upload: Upload | null): Promise<void> {
  try {
    await upload?.remove();
  } catch (error) {
    // The client's answer is another matter; the object goes when its retention ends.
    log.warn('an upload without a request could not be removed', { error });
  }
}
