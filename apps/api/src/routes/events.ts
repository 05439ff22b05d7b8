import { Router, type Request } from 'express';
import * as z from 'zod';
import { isTerminal } from '@bunri/queue-contracts';
import type { Admit } from '../admission.ts';
import { createEventStreams, type EventStreamDeps } from '../event-stream.ts';
import { invalidField, parseInput, Problem } from '../problem.ts';
import { classificationPath } from '../submitted-answer.ts';

export interface EventsDeps extends EventStreamDeps {
  readonly admit: Admit;
}

const seqSchema = z.string().regex(/^\d{1,9}$/, 'must be the id of an event');
export const eventsQuerySchema = z.strictObject({
  last_event_id: seqSchema
    .optional()
    .meta({ description: 'Like the header Last-Event-ID, for clients that cannot set one.' }),
});

export function eventRoutes(deps: EventsDeps): Router {
  const router = Router();
  const streams = createEventStreams(deps);
  router.get(`${classificationPath}/:id/events`, async (request, response) => {
    const { owner } = await deps.admit(request, response, 'read');
    if (!request.accepts('text/event-stream')) {
      throw new Problem('not_acceptable', 'Events come as text/event-stream; accept it, or read the request itself.');
    }
    const afterSeq = lastEventId(request);
    const record = await deps.reader.readOwned(request.params.id, owner);
    response.locals['classificationId'] = record.request.id;
    if (afterSeq > record.lastSeq) throw invalidField('Last-Event-ID', 'is beyond the last event of this request');
    if (isTerminal(record.status) && afterSeq === record.lastSeq) {
      // By the HTML standard this, and nothing else, stops an EventSource from connecting again.
      response.status(204).end();
      return;
    }
    const { id, deadlineAt } = record.request;
    // Not waited for: a stream may last for hours, and needs neither this record nor this call meanwhile.
    streams.serve(response, { id, afterSeq, deadlineAt: isTerminal(record.status) ? null : deadlineAt });
  });
  return router;
}

function lastEventId(request: Request): number {
  const { last_event_id: fromQuery } = parseInput(eventsQuerySchema, request.query);
  // A client that reconnects repeats the query it began with, so that the header is the later of the two.
  const given = request.get('last-event-id') || fromQuery || '0';
  if (!seqSchema.safeParse(given).success) throw invalidField('Last-Event-ID', 'must be the id of an event');
  return Number(given);
}
