import type { FlowOrder, Request } from '@bunri/queue-contracts';
import { catalogueVersion } from '@bunri/knowledge';
import {
  lookUpRequest,
  parseRecord,
  type FlowQueue,
  type Idempotency,
  type Logger,
  type Metrics,
  type RecordStore,
  type RequestCacheValue,
  type RequestRecord,
  type ResultCache,
  type Storage,
} from '@bunri/runtime';
import { Problem, retryAfterOutageS } from './problem.ts';
import type { RecordReader } from './record-reader.ts';

export interface SubmitDeps {
  readonly records: RecordStore;
  readonly reader: RecordReader;
  readonly flows: FlowQueue;
  readonly storage: Storage;
  readonly cache: ResultCache;
  readonly models: { readonly vision: string; readonly llm: string };
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface Submitted {
  readonly record: RequestRecord;
  /** The idempotency key had been used: the record is that of the first request. */
  readonly replayed: boolean;
}

/** Redis may or may not have accepted the request: its upload must stay, since a record may refer to it. */
export class AcceptanceUnknown extends Problem {
  constructor(cause: unknown) {
    const detail = `The queue did not answer in time. Send the request again in ${retryAfterOutageS} seconds; with the same Idempotency-Key it is accepted once at most.`;
    super('service_unavailable', detail, { retryAfterS: retryAfterOutageS, cause });
  }
}

/**
 * Accepts a request: the record is written first, then the flow is added. A crash or an error between the two is repaired
 * by the scheduler's sweeper. A request whose answer is known already is finished at once, and nothing is queued.
 *
 * @throws Problem `idempotency_conflict`, AcceptanceUnknown
 */
export async function submit(deps: SubmitDeps, request: Request, idempotency?: Idempotency): Promise<Submitted> {
  const answer = await findAnswer(deps, request);
  const accepted = await accept(deps.records, request, {
    ...(idempotency ? { idempotency } : {}),
    ...(answer ? { answer: { outputs: answer } } : {}),
  });
  if (accepted.outcome === 'conflict') {
    const detail =
      'This Idempotency-Key was used for a request with another photo, question or option. Send a new key for a new request.';
    throw new Problem('idempotency_conflict', detail);
  }
  // An `existing` record of our own id is our own command, repeated after a broken connection.
  const replayed = accepted.id !== request.id;
  if (!replayed) deps.metrics.requestsAccepted.inc({ cached: String(answer !== null) });
  if (!replayed && !answer) {
    await enqueue(deps, { ...request, turn: accepted.turn });
    return { record: newRecord(request, accepted.turn), replayed };
  }
  const record = await deps.reader.read(accepted.id);
  if (!record) throw new Error(`the record ${accepted.id} is gone`);
  return { record, replayed };
}

async function accept(
  records: RecordStore,
  request: Request,
  extra: Parameters<RecordStore['accept']>[1],
): ReturnType<RecordStore['accept']> {
  try {
    return await records.accept(request, extra);
  } catch (error) {
    // The command may have been carried out and only its answer been lost.
    const record = await records.get(request.id).catch(() => {
      throw new AcceptanceUnknown(error);
    });
    if (record) return { outcome: 'accepted', id: request.id, turn: record.turn };
    throw error;
  }
}

async function enqueue({ flows, log }: SubmitDeps, order: FlowOrder): Promise<void> {
  try {
    await flows.add(order);
  } catch (error) {
    log.warn('a request was accepted but not queued; the sweeper will queue it', { request_id: order.id, error });
  }
}

/** The record as acceptance has just written it. */
function newRecord(request: Request, turn: number): RequestRecord {
  const record = parseRecord({ request: JSON.stringify(request), status: 'queued', seq: '1', turn: String(turn) });
  if (!record) throw new Error('a new record has no request');
  return record;
}

/** The answer to the same upload and question, where its image is still stored and the catalogue is still the same. */
async function findAnswer(deps: SubmitDeps, request: Request): Promise<RequestCacheValue | null> {
  const { source, question, locale } = request;
  if (source.kind !== 'upload') return null;
  const answer = await lookUpRequest(deps.cache, {
    sha256: source.sha256,
    question,
    locale,
    visionModel: deps.models.vision,
    llmModel: deps.models.llm,
  });
  // Rules change with a release, while answers are kept for days.
  if (answer?.rag.catalogue_version !== catalogueVersion) return null;
  return (await deps.storage.head(answer.preprocess.key)) ? answer : null;
}
