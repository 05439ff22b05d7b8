import {
  createFeeder,
  defaultFlightLimits,
  type BatchStore,
  type FlightLimits,
  type LookAtBatch,
} from '@bunri/batches';
import type { Request } from '@bunri/queue-contracts';
import { Problem } from './problem.ts';
import type { Refusal } from './refusal.ts';
import { idempotencyOf, toSubmission } from './submission.ts';
import { submit, type SubmitDeps } from './submit.ts';

export interface BatchFeederDeps extends SubmitDeps {
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

/** What a row asks for, whenever it is sent: its deadline is not the same an hour later. */
function meaningOf({ source, question, locale, models, region }: Request): unknown[] {
  const image = source.kind === 'upload' ? source.sha256 : source;
  return ['/v1/batches/rows', source.kind, image, question, locale, models ?? null, region ?? null];
}
