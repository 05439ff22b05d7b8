import {
  createFeeder,
  defaultFlightLimits,
  type BatchStore,
  type FlightLimits,
  type LookAtBatch,
} from '@bunri/batches';
import { isTerminal, type Request } from '@bunri/queue-contracts';
import { deleteRequest, type DeletionDeps } from './deletion.ts';
import { Problem } from './problem.ts';
import type { Refusal } from './refusal.ts';
import { idempotencyOf, toSubmission } from './submission.ts';
import { submit, type SubmitDeps } from './submit.ts';

export interface BatchFeederDeps extends SubmitDeps, DeletionDeps {
  readonly batches: BatchStore;
  readonly refusal: Refusal;
  readonly flightLimits?: FlightLimits;
  readonly now: () => number;
}

/** Brings batches forward with what the api accepts single requests with. */
export function createBatchFeeder(deps: BatchFeederDeps): LookAtBatch {
  const { batches, records, storage, refusal, metrics, log, now, flightLimits = defaultFlightLimits } = deps;
  return createFeeder({
    store: batches,
    records,
    storage,
    metrics,
    log,
    now,
    limits: flightLimits,
    submitRow: async (request, key) => {
      const { question } = toSubmission({ question: request.question, locale: request.locale, priority: 'batch' });
      const order = { ...request, question };
      try {
        const { record } = await submit(deps, order, { idempotency: idempotencyOf(key, meaningOf(order)) });
        return { outcome: 'accepted', id: record.request.id };
      } catch (error) {
        if (!(error instanceof Problem && error.code === 'idempotency_conflict')) throw error;
        return { outcome: 'refused', message: error.message };
      }
    },
    removeRequest: async (requestId, of) => await removeRequest(deps, requestId, of),
    refusalOf: async (owner) => {
      try {
        await refusal.ofOwner(owner, undefined);
        return null;
      } catch (error) {
        if (error instanceof Problem) return error.code;
        throw error;
      }
    },
  });
}

/** What `DELETE` of a single request does, first to end it and then to remove it. @returns whether nothing of it is left */
async function removeRequest(
  deps: BatchFeederDeps,
  requestId: string,
  { id, owner }: { readonly id: string; readonly owner: string },
): Promise<boolean> {
  const record = await deps.records.get(requestId);
  if (record?.request.owner !== owner || record.request.batch?.id !== id) return true;
  if (!isTerminal(record.status)) {
    await deps.records.cancel(requestId);
    return false;
  }
  try {
    await deleteRequest(deps, record);
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.code === 'not_found';
  }
}

/** What a row asks for, whenever it is sent: its deadline is not the same an hour later. */
function meaningOf({ source, question, locale, models, region }: Request): unknown[] {
  const image = source.kind === 'upload' ? source.sha256 : source;
  return ['/v1/batches/rows', source.kind, image, question, locale, models ?? null, region ?? null];
}
