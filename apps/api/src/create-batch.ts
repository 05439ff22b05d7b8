import type { Request } from 'express';
import {
  batchObjects,
  estimateBatch,
  InputError,
  newBatchId,
  putResults,
  putRows,
  rounded,
  toBatch,
  validateInput,
  type BatchSpec,
  type BatchState,
  type BatchStore,
  type CostEstimate,
  type ValidationReport,
} from '@bunri/batches';
import type { Batch, BatchCheck } from '@bunri/queue-contracts';
import { sha256, type Idempotency, type Logger, type Storage } from '@bunri/runtime';
import { receiveInput, type StoredInput } from './batch-input.ts';
import { toSpec, type BatchQuery } from './batch-terms.ts';
import { inspectImage } from './image-bytes.ts';
import { checkImageUrl } from './image-url.ts';
import type { IntakeDeps } from './intake.ts';
import { maxImageBytes } from './photo.ts';
import { Problem } from './problem.ts';
import { idempotencyOf } from './submission.ts';
import type { Turnstile } from './turnstile.ts';

export interface CreateBatchDeps extends Pick<IntakeDeps, 'admitModels' | 'webhookUrls'> {
  readonly batches: BatchStore;
  readonly storage: Storage;
  readonly allowHttpImageUrls: boolean;
  /** Names of the models that answer, as prices know them. */
  readonly pricedModels: Readonly<Record<'vision' | 'llm', string>>;
  readonly prefix: string;
  readonly validating: Turnstile;
  readonly wakeBatch: (id: string) => Promise<void>;
  readonly log: Logger;
  readonly now: () => number;
}

export type Created =
  | { readonly kind: 'batch'; readonly batch: Batch; readonly replayed: boolean }
  | { readonly kind: 'check'; readonly check: BatchCheck };

/** How often a validation says that it goes on. */
const heartbeatMs = 5_000;

/**
 * Takes a batch: the input goes into the bucket, every row is looked at, and only then does any row start. A process that
 * dies before that leaves a batch that never started, which the next look closes.
 *
 * @throws Problem `batch_invalid` with what is wrong with the rows, `idempotency_conflict`, what `receiveInput` throws
 */
export async function createBatch(
  deps: CreateBatchDeps,
  { request, owner, query }: { request: Request; owner: string; query: BatchQuery },
  gone: AbortSignal,
): Promise<Created> {
  const { batches, storage } = deps;
  const spec = toSpec(query, { id: newBatchId(), owner }, deps);
  const inputKey = batchObjects.input(spec.id);
  try {
    const input = await receiveInput(request, { storage, key: inputKey });
    if (query.validate_only === 'true') return { kind: 'check', check: await checkOnly(deps, spec, input, gone) };
    const idempotency = toIdempotency(request.get('idempotency-key'), query, input);
    const createdAt = deps.now();
    const created = await batches.create(spec, { createdAt, idempotency, maxUsd: query.max_cost_usd });
    if (created.outcome === 'conflict') {
      throw new Problem(
        'idempotency_conflict',
        'This Idempotency-Key was used for another batch. Send a new key for a new one.',
      );
    }
    if (created.outcome === 'existing')
      return { kind: 'batch', batch: await readBatch(batches, created.id), replayed: true };
    await validateAndBegin(deps, { spec, input, query, idempotency }, gone);
    return { kind: 'batch', batch: await readBatch(batches, spec.id), replayed: false };
  } finally {
    await removeQuietly(deps, async () => await storage.remove([inputKey]));
  }
}

async function readBatch(batches: BatchStore, id: string): Promise<Batch> {
  const state: BatchState | null = await batches.get(id);
  if (!state || state.deletion)
    throw new Problem(
      'batch_state_conflict',
      'The batch was deleted while it was being taken. Send it again if it is wanted.',
    );
  return toBatch(state);
}

function toIdempotency(key: string | undefined, query: BatchQuery, input: StoredInput): Idempotency | undefined {
  return idempotencyOf(key, ['/v1/batches', input.kind, input.sha256, sha256(JSON.stringify(query))]);
}

interface Taken {
  readonly spec: BatchSpec;
  readonly input: StoredInput;
  readonly query: BatchQuery;
  readonly idempotency: Idempotency | undefined;
}

async function validateAndBegin(deps: CreateBatchDeps, taken: Taken, gone: AbortSignal): Promise<void> {
  const { batches, storage, wakeBatch, log } = deps;
  const { spec, query, idempotency } = taken;
  const idempotencyKey = idempotency?.key;
  const errorFile: [number, string][] = [];
  const beat = setInterval(() => void batches.seen(spec.id).catch(() => undefined), heartbeatMs);
  try {
    const report = await validate(deps, spec, taken.input, gone, {
      takeChunk: async (chunk, rows, invalid) => {
        await putRows(storage, spec.id, chunk, rows);
        if (invalid.length > 0) errorFile.push([chunk, await putResults(storage, spec.id, chunk, invalid)]);
      },
      keepPhoto: async (row, bytes) => {
        const key = batchObjects.photo(spec.id, row);
        await storage.put(key, bytes, 'application/octet-stream');
        return key;
      },
    });
    const { total, invalid } = report;
    if (invalid.length > 0 && (query.on_error === 'refuse' || invalid.length === total)) {
      const found = { total, invalid: invalid.length, errorFile, idempotencyKey };
      await batches.refuse(spec, { reason: 'rows_invalid', ...found });
      throw rowsInvalid(spec, report);
    }
    const estimate = await estimateOf(deps, spec, report);
    const status = await batches.begin(spec.id, { total, estimate, invalid, errorFile });
    // What an owner has deleted meanwhile leaves no error file either.
    if (status !== 'queued') await removeObjects(deps, spec.id, status === 'gone' ? '' : 'rows/');
  } catch (error) {
    const isInvalid = error instanceof Problem && error.code === 'batch_invalid';
    const reason = isInvalid ? 'rows_invalid' : 'validation_interrupted';
    // A batch that has begun after all, of which only the answer was lost, keeps its rows.
    const status = await batches.refuse(spec, { reason, idempotencyKey });
    if (status === 'failed' || status === 'canceled' || status === 'gone')
      await removeObjects(deps, spec.id, status === 'gone' ? '' : 'rows/');
    throw error;
  } finally {
    clearInterval(beat);
  }
  await wakeBatch(spec.id).catch((error: unknown) => {
    log.warn('a batch could not be told to begin; the next repair does it', { batch_id: spec.id, error });
  });
}

type Sinks = Pick<Parameters<typeof validateInput>[0], 'takeChunk' | 'keepPhoto'>;

async function validate(
  deps: CreateBatchDeps,
  { id }: BatchSpec,
  { kind, sizeBytes }: StoredInput,
  signal: AbortSignal,
  sinks: Sinks,
): Promise<ValidationReport> {
  const { storage, allowHttpImageUrls, validating } = deps;
  const key = batchObjects.input(id);
  try {
    return await validating(
      async () =>
        await validateInput({
          kind,
          sizeBytes,
          open: async () => present((await storage.getStream(key))?.body),
          readRange: async (start, end) => present(await storage.getRange(key, start, end)),
          checkUrl: (url) => checkImageUrl(url, { allowHttp: allowHttpImageUrls }),
          checkModels: deps.admitModels,
          inspect: () => inspectImage(maxImageBytes),
          maxPhotoBytes: maxImageBytes,
          signal,
          ...sinks,
        }),
      signal,
    );
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const errors = [{ row: 0, field: 'file', message: error.message }];
    throw new Problem('batch_invalid', error.message, { errors, cause: error });
  }
}

function present<Value>(value: Value | null | undefined): Value {
  if (!value) throw new Error('the input of a batch is gone');
  return value;
}

async function checkOnly(
  deps: CreateBatchDeps,
  spec: BatchSpec,
  input: StoredInput,
  gone: AbortSignal,
): Promise<BatchCheck> {
  const report = await validate(deps, spec, input, gone, { takeChunk: async () => await Promise.resolve() });
  const { total, invalid, errors } = report;
  const estimate = await estimateOf(deps, spec, report);
  return {
    valid: invalid.length === 0,
    rows: total,
    invalid: invalid.length,
    estimated_usd: estimate && rounded(estimate.totalUsd),
    errors: [...errors],
  };
}

async function estimateOf(
  { batches, prefix, now, pricedModels }: CreateBatchDeps,
  spec: BatchSpec,
  { models }: ValidationReport,
): Promise<CostEstimate | null> {
  const usual = spec.models ?? [pricedModels.vision];
  const asked = [...models].map(([named, rows]) => [named === '' ? usual : named.split(','), rows] as const);
  return await estimateBatch({ redis: batches.redis, prefix, now }, pricedModels, asked);
}

function rowsInvalid({ id }: BatchSpec, { total, invalid, errors }: ValidationReport): Problem {
  const path = `/v1/batches/${id}/errors`;
  const detail = `${invalid.length} of ${total} rows are not valid, and none was started. GET ${path} lists all of them; correct them, or send the input with on_error=skip.`;
  return new Problem('batch_invalid', detail, { errors, headers: { link: `<${path}>; rel="describedby"` } });
}

/** Photos of a batch that does not come to be, and what lies below `folder` of it. */
async function removeObjects(deps: CreateBatchDeps, id: string, folder: '' | 'rows/'): Promise<void> {
  const { storage } = deps;
  await removeQuietly(deps, async () => {
    for (const prefix of [`${batchObjects.all(id)}${folder}`, batchObjects.photos(id)]) {
      for await (const page of storage.list(prefix)) await storage.remove(page.map(({ key }) => key));
    }
  });
}

async function removeQuietly({ log }: CreateBatchDeps, work: () => Promise<void>): Promise<void> {
  // The client's answer is another matter; objects go when their retention ends.
  await work().catch((error: unknown) => log.warn('objects of a batch could not be removed', { error }));
}
