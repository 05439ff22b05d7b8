import { once } from 'node:events';
import { Router, type Response } from 'express';
import * as z from 'zod';
import { isTerminal } from '@bunri/queue-contracts';
import type { Audit, Logger, Storage } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { feedbackBodySchema, readFeedback, storeFeedback, toEvaluationCase, toFeedback } from '../feedback.ts';
import { requireItem } from '../item-reference.ts';
import { readJson } from '../json-body.ts';
import { parseInput, Problem, serviceUnavailable } from '../problem.ts';
import type { RecordReader } from '../record-reader.ts';
import { classificationPath, signalGone } from '../submitted-answer.ts';

export interface FeedbackDeps {
  readonly admit: Admit;
  readonly reader: RecordReader;
  readonly storage: Storage;
  readonly stopping: AbortSignal;
  readonly audit: Audit;
  readonly log: Logger;
  readonly now: () => number;
}

export const feedbackPath = '/v1/admin/feedback';
export const feedbackExportType = 'application/x-ndjson';

const day = z.iso.date().optional();
export const feedbackQuerySchema = z
  .strictObject({
    since: day.meta({ description: 'Only requests made on this day in Seoul or later, `YYYY-MM-DD`.' }),
    until: day.meta({ description: 'Only requests made on this day in Seoul or earlier, `YYYY-MM-DD`.' }),
  })
  .refine(({ since = '', until = '9' }) => since <= until, { path: ['until'], error: 'must not be before since' });

export function feedbackRoutes(deps: FeedbackDeps): Router {
  const { admit, reader, storage, now } = deps;
  const router = Router();

  router.post(`${classificationPath}/:id/feedback`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const given = await readJson(feedbackBodySchema, request, response);
    if (given.item_id !== undefined) requireItem(given.item_id);
    const record = await reader.readOwned(request.params.id, owner);
    response.locals['classificationId'] = record.request.id;
    if (!isTerminal(record.status)) {
      throw new Problem('not_ended', 'The request has not ended. Wait for its answer, then say what you think of it.');
    }
    const feedback = toFeedback(record, given, now());
    await storeFeedback(storage, feedback);
    response.json(feedback);
  });

  router.get(feedbackPath, async (request, response) => {
    const { keyId: actor } = await admit(request, response, 'admin');
    if (!request.accepts(feedbackExportType)) {
      throw new Problem('not_acceptable', `Feedback comes as ${feedbackExportType}; accept it.`);
    }
    const days = parseInput(feedbackQuerySchema, request.query);
    await deps.audit.record({ actor, action: 'feedback.export', target: JSON.stringify(days), outcome: 'done' });
    await exportFeedback(deps, response, days);
  });

  return router;
}

/** Line by line, no faster than the client reads. An answer that breaks off was cut, not ended. */
async function exportFeedback(
  { storage, stopping, log }: FeedbackDeps,
  response: Response,
  days: z.infer<typeof feedbackQuerySchema>,
): Promise<void> {
  const gone = signalGone(response);
  const signal = AbortSignal.any([gone, stopping]);
  response.type(feedbackExportType);
  try {
    for await (const feedback of readFeedback(storage, { ...days, signal, log })) {
      const line = toEvaluationCase(feedback);
      if (!line) continue;
      if (!response.write(`${JSON.stringify(line)}\n`)) await once(response, 'drain', { signal });
    }
    response.end();
  } catch (error) {
    // Nobody is there to be told.
    if (gone.aborted) return;
    throw stopping.aborted ? serviceUnavailable(error) : error;
  }
}
