import { Router } from 'express';
import { isTerminal } from '@bunri/queue-contracts';
import { toResource, type Audit, type RecordStore, type RequestRecord } from '@bunri/runtime';
import type { Admit } from '../admission.ts';
import { deleteRequest, type DeletionDeps } from '../deletion.ts';
import { Problem } from '../problem.ts';
import type { RecordReader } from '../record-reader.ts';
import { classificationPath } from '../submitted-answer.ts';

export interface EndingDeps extends DeletionDeps {
  readonly admit: Admit;
  readonly records: RecordStore;
  readonly reader: RecordReader;
  readonly audit: Audit;
}

/** How an owner ends a request, and removes one that has ended. */
export function endingRoutes(deps: EndingDeps): Router {
  const { admit, reader, audit, log } = deps;
  const router = Router();

  router.post(`${classificationPath}/:id/cancel`, async (request, response) => {
    const { owner } = await admit(request, response, 'submit');
    const before = await reader.readOwned(request.params.id, owner);
    response.locals['classificationId'] = before.request.id;
    const record = await cancel(deps, before);
    if (record.status !== 'canceled') {
      throw new Problem('already_ended', `The request is ${record.status} already: there is nothing left to cancel.`);
    }
    response.json(toResource(record));
  });

  router.delete(`${classificationPath}/:id`, async (request, response) => {
    const { owner, keyId, scopes } = await admit(request, response, 'submit');
    const before = await reader.readOwned(request.params.id, owner);
    const { id } = before.request;
    response.locals['classificationId'] = id;
    if (!isTerminal(before.status)) {
      const record = await cancel(deps, before);
      // One that ended in this very moment is not removed: its answer may be wanted.
      if (record.status !== 'canceled') {
        throw new Problem('already_ended', `The request is ${record.status} by now. Send this again to remove it.`);
      }
      response.json(toResource(record));
      return;
    }
    await requireSettled(deps, before);
    const deletion = await deleteRequest(deps, before);
    const parts = Object.entries(deletion).filter(([, part]) => typeof part === 'object' && part.removed);
    log.info('a request was deleted', { key_id: keyId, owner, request_id: id, removed: parts.map(([name]) => name) });
    if (scopes.includes('admin'))
      await audit.record({ actor: keyId, action: 'requests.delete', target: id, outcome: 'done' });
    response.json(deletion);
  });

  return router;
}

/** A row that is gone before its batch has taken its result would be sent, and paid for, once more. @throws Problem */
async function requireSettled({ batches }: EndingDeps, { request }: RequestRecord): Promise<void> {
  if (!request.batch || !(await batches.isInFlight(request.batch.id, request.batch.row))) return;
  const detail = 'Its batch has not taken its result yet. Send this again in a few seconds.';
  throw new Problem('batch_state_conflict', detail, { retryAfterS: 5 });
}

async function cancel({ records, reader }: EndingDeps, { request, status }: RequestRecord): Promise<RequestRecord> {
  if (!isTerminal(status)) await records.cancel(request.id);
  return await reader.readOwned(request.id, request.owner);
}
