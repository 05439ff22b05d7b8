import { stageNames, type Request, type StageName } from '@bunri/queue-contracts';
import { catalogueVersion } from '@bunri/knowledge';
import {
  flowOrder,
  lookUpRequest,
  mayKeepRequest,
  requestCacheKey,
  requestCacheName,
  traceAcceptance,
  type Estimate,
  type FlowQueue,
  type Idempotency,
  type Logger,
  type Metrics,
  type RecordStore,
  type RequestCacheParts,
  type RequestCacheValue,
  type RequestRecord,
  type ResultCache,
  type StageRecord,
  type Storage,
} from '@bunri/runtime';
import type { Forecast } from './forecast.ts';
import { Problem, retryAfterOutageS } from './problem.ts';
import type { RecordReader } from './record-reader.ts';

export interface SubmitDeps {
  readonly records: RecordStore;
  readonly reader: RecordReader;
  readonly flows: FlowQueue;
  readonly forecast: Pick<Forecast, 'ofTurn' | 'ofCounted'>;
  readonly storage: Storage;
  readonly cache: ResultCache;
  readonly models: { readonly vision: string; readonly llm: string };
  readonly metrics: Metrics;
  readonly log: Logger;
}

interface Acceptance {
  /** Brings the photo into the bucket. */
  readonly store?: (() => Promise<void>) | undefined;
  readonly idempotency?: Idempotency | undefined;
  /** Of stages that are done before the request begins. */
  readonly outputs?: Partial<Record<StageName, unknown>>;
  /** The request's time begins anew by this clock once its photo is stored: what that took is not its own. */
  readonly now?: () => number;
  /** Aborted when nobody waits for the answer any more: then nothing is accepted, unless that has been asked for already. */
  readonly signal?: AbortSignal;
}

export interface Submitted {
  readonly record: RequestRecord;
  /** The idempotency key had been used: the record is that of the first request. */
  readonly replayed: boolean;
  /** Of a request that was queued now, where it could be told. */
  readonly estimate: Estimate | null;
}

/**
 * The request may be accepted, or is, and the client cannot be told which: Redis did not answer, or not with the record that
 * was accepted. The upload must stay, since a record may refer to it.
 */
export class AcceptanceUnknown extends Problem {
  constructor(cause: unknown) {
    const detail = `The queue did not answer in time. Send the request again in ${retryAfterOutageS} seconds; with the same Idempotency-Key it is accepted once at most.`;
    super('service_unavailable', detail, { retryAfterS: retryAfterOutageS, cause });
  }
}

/**
 * Accepts a request: `store` brings its photo into the bucket, then the record is written and its flow added, in one step where
 * it is an ordinary one. Where they go apart, the scheduler's sweeper repairs a crash or an error between the two. A request whose answer is known already is finished at
 * once: its photo is not stored, since nobody will look for it, and nothing is queued.
 *
 * @throws Problem `idempotency_conflict`, `not_found` where what it goes on from is being deleted, `service_unavailable` where the key's first request is, AcceptanceUnknown, what `store` throws, and the reason of an abort
 */
export async function submit(deps: SubmitDeps, received: Request, acceptance: Acceptance = {}): Promise<Submitted> {
  return await traceAcceptance(received, async (request) => {
    // Where nothing has to be stored before, acceptance itself looks whether there is an answer: one wait less for Redis.
    const unlessKnown = acceptance.store ? undefined : answerName(deps, request);
    const early =
      unlessKnown === undefined ? null : await submitWith(deps, request, { ...acceptance, unlessKnown }, null);
    if (early) return early;
    const submitted = await submitWith(deps, request, acceptance, await findAnswer(deps, request));
    // The picture of the known answer went in between.
    return submitted ?? found(await submitWith(deps, request, acceptance, null));
  });
}

function found<Value>(value: Value | null): Value {
  if (value === null) throw new Error('a request was refused for an answer that it did not have');
  return value;
}

/**
 * Null where the picture of the answer is being removed, or where there is an answer that nobody has looked for; then nothing
 * was accepted.
 */
async function submitWith(
  deps: SubmitDeps,
  received: Request,
  { store, idempotency, outputs, now, signal, unlessKnown }: Acceptance & { readonly unlessKnown?: string },
  answer: RequestCacheValue | null,
): Promise<Submitted | null> {
  if (!answer) await store?.();
  signal?.throwIfAborted();
  const request = now ? begunAt(received, now()) : received;
  const isBlank = !answer && !outputs;
  const accepting = accept(deps.records, request, {
    ...(idempotency ? { idempotency } : {}),
    ...(answer ? { answer: { outputs: answer } } : {}),
    ...(outputs ? { outputs } : {}),
    ...(unlessKnown === undefined ? {} : { unlessKnown }),
    ...(isBlank ? { flow: deps.flows.along(flowOrder(newRecord(request, 0))) } : {}),
  });
  // Redis carries out what is sent on one connection in order: what is read now is what was accepted.
  const [accepted, written] = await Promise.all([accepting, isBlank ? null : readQuietly(deps.records, request.id)]);
  if (accepted.outcome === 'known') return null;
  if (accepted.outcome === 'unstored') {
    if (answer) return null;
    throw new Problem('not_found', 'The request that this one goes on from was deleted in this moment.');
  }
  if (accepted.outcome === 'conflict') {
    const detail =
      'This Idempotency-Key was used for a request with another photo, question or option. Send a new key for a new request.';
    throw new Problem('idempotency_conflict', detail);
  }
  // An `existing` record of our own id is our own command, repeated after a broken connection.
  const replayed = accepted.id !== request.id;
  if (!replayed) deps.metrics.requestsAccepted.inc({ cached: String(answer !== null) });
  // Of a known idempotency key nobody has looked for an answer.
  if (!replayed && unlessKnown !== undefined)
    deps.metrics.cacheLookups.inc({ cache: requestCacheName, result: 'miss' });
  // What was accepted a moment ago, by a command whose answer was lost, may have begun.
  const fresh = isBlank && accepted.outcome === 'accepted' ? newRecord(request, accepted.turn) : written;
  const record = (replayed ? null : fresh) ?? (await readAccepted(deps, accepted.id, replayed));
  if (!record && replayed) throw firstRemoved();
  if (!record) throw new Error(`the record ${accepted.id} is gone`);
  return { record, replayed, estimate: replayed || answer ? null : await enqueue(deps, record, accepted) };
}

/** Of an idempotency key whose request was erased after the key had found it. Nothing was accepted, and the key is free. */
function firstRemoved(): Problem {
  const detail =
    'The first request of this Idempotency-Key was removed in this moment. Send it again to have a new one.';
  return new Problem('service_unavailable', detail, { retryAfterS: 1 });
}

/** Whoever hears of any other error removes the photo, which a request that is accepted needs. */
async function readAccepted({ reader }: SubmitDeps, id: string, replayed: boolean): Promise<RequestRecord | null> {
  return await reader.read(id).catch((error: unknown) => {
    throw replayed ? error : new AcceptanceUnknown(error);
  });
}

/** With as much time until its deadline. */
function begunAt(request: Request, createdAt: number): Request {
  return { ...request, createdAt, deadlineAt: createdAt + request.deadlineAt - request.createdAt };
}

/** Null where it cannot be read now. */
async function readQuietly(records: RecordStore, id: string): Promise<RequestRecord | null> {
  return await records.get(id).catch(() => null);
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
    if (record) return { outcome: 'existing', id: request.id, turn: record.turn, before: null, queued: false };
    throw error;
  }
}

/**
 * The request is accepted, whether its flow could be added and its place be told or not. `before`: how many jobs it stands
 * behind at each usual stage, where acceptance told that; else both are asked in one round trip. `queued`: its flow was added
 * with it.
 */
async function enqueue(
  { flows, forecast, log }: SubmitDeps,
  record: RequestRecord,
  { before, queued }: { readonly before: readonly number[] | null; readonly queued: boolean },
): Promise<Estimate | null> {
  const order = flowOrder(record);
  const { id, priority, from } = order;
  const failed = (message: string) => (error: unknown) => {
    log.warn(message, { request_id: id, error });
    return null;
  };
  const { models } = record.request;
  const isUsual = before !== null && !models;
  const asked = isUsual
    ? forecast.ofCounted(priority, before, from)
    : forecast.ofTurn(priority, record.turn, { from, models });
  const place = asked.catch(failed('the place of a request could not be told'));
  if (!queued) await flows.add(order).catch(failed('a request was accepted but not queued; the sweeper will queue it'));
  return await place;
}

const pending: StageRecord = {
  status: 'pending',
  startedAt: null,
  durationMs: null,
  attempts: 0,
  cached: false,
  lost: 0,
  output: null,
};

/** The record as acceptance has just written it, of a request that begins at its beginning. */
function newRecord(request: Request, turn: number): RequestRecord {
  return {
    request,
    status: 'queued',
    completedAt: null,
    lastSeq: 1,
    answeredBy: null,
    error: null,
    generation: 0,
    turn,
    stages: Object.fromEntries(stageNames.map((name) => [name, pending])) as RequestRecord['stages'],
  };
}

/** What decides the answer, where it may be kept; else undefined. */
function answerParts({ models }: SubmitDeps, request: Request): RequestCacheParts | undefined {
  if (!mayKeepRequest(request)) return undefined;
  const { source, question, locale } = request;
  return { sha256: source.sha256, question, locale, visionModel: models.vision, llmModel: models.llm };
}

/** The name of the cache entry that has the answer, if there is one. */
function answerName(deps: SubmitDeps, request: Request): string | undefined {
  const parts = answerParts(deps, request);
  return parts && `${requestCacheName}:${requestCacheKey(parts)}`;
}

/** The answer to the same upload and question, where its image is still stored and the catalogue is still the same. */
async function findAnswer(deps: SubmitDeps, request: Request): Promise<RequestCacheValue | null> {
  const parts = answerParts(deps, request);
  if (!parts) return null;
  const answer = await lookUpRequest(deps.cache, parts);
  // Rules change with a release, while answers are kept for days.
  if (answer?.rag.catalogue_version !== catalogueVersion) return null;
  return (await deps.storage.head(answer.preprocess.key)) ? answer : null;
}
