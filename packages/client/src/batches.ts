import type { Batch, BatchCheck, BatchDeletion } from '@bunri/queue-contracts';
import type { CallOptions } from './client.ts';
import { ProblemError } from './errors.ts';
import { createExchange, readJson, type Ask, type ExchangeOptions, type Retry } from './exchange.ts';
import { newIdempotencyKey, toQuery } from './photo.ts';

export type { Batch, BatchCheck, BatchDeletion } from '@bunri/queue-contracts';

/** `text/csv`, `application/x-ndjson` or `application/zip`. */
export type BatchInputType = 'text/csv' | 'application/x-ndjson' | 'application/zip';

export interface CreateBatchOptions extends CallOptions {
  /** Options of `POST /v1/batches`, by their names in the API. */
  readonly terms?: Readonly<Record<string, string | number | undefined>>;
  /** Default: a random one. */
  readonly idempotencyKey?: string | undefined;
}

export type BatchClient = ReturnType<typeof createBatchClient>;

const batches = '/v1/batches';
/** A large archive takes its time, on the way and to be looked at. */
const inputMs = 15 * 60_000;
/** Between two questions how far a deletion has come. */
const deletionLookMs = 1_000;

/**
 * The calls for batches, repeated as those of `createClient` are.
 *
 * Every method throws ProblemError where the API refuses, ConnectionError where it cannot be reached, and the reason of an
 * aborted signal.
 */
export function createBatchClient(options: ExchangeOptions) {
  const exchange = createExchange(options);

  async function create<Answer>(input: Blob, type: BatchInputType, given: CreateBatchOptions): Promise<Answer> {
    const { terms = {}, idempotencyKey = newIdempotencyKey(), ...ask } = given;
    const headers = { 'content-type': type, 'idempotency-key': idempotencyKey };
    const path = `${batches}${toQuery(terms)}`;
    return await exchange.send(
      path,
      { ...ask, method: 'POST', body: input, headers, extraMs: inputMs },
      async (response) => await readJson<Answer>(response),
    );
  }

  async function get(id: string, ask: CallOptions = {}): Promise<Batch> {
    return await exchange.send(pathOf(id), ask, async (response) => await readJson<Batch>(response));
  }

  /** @param fits whether a batch of this status is what the action was for */
  async function act(id: string, action: string, ask: Ask, fits: (status: Batch['status']) => boolean): Promise<Batch> {
    let isRepeated = false;
    const onRetry = (retry: Retry) => {
      isRepeated = true;
      ask.onRetry?.(retry);
    };
    try {
      const asked: Ask = { ...ask, method: 'POST', onRetry };
      return await exchange.send(`${pathOf(id)}/${action}`, asked, async (response) => await readJson<Batch>(response));
    } catch (error) {
      if (!(isRepeated && error instanceof ProblemError && error.code === 'batch_state_conflict')) throw error;
      // The try before may have done it, and only its answer been lost.
      const batch = await get(id, { signal: ask.signal });
      if (!fits(batch.status)) throw error;
      return batch;
    }
  }

  return {
    /** Hands in the rows. @throws ProblemError `batch_invalid` with what is wrong with them */
    async create(input: Blob, type: BatchInputType, given: CreateBatchOptions = {}): Promise<Batch> {
      return await create<Batch>(input, type, given);
    },

    /** Has every row looked at and the cost estimated, and starts nothing. */
    async check(input: Blob, type: BatchInputType, given: CreateBatchOptions = {}): Promise<BatchCheck> {
      return await create<BatchCheck>(input, type, { ...given, terms: { ...given.terms, validate_only: 'true' } });
    },

    get,

    async cancel(id: string, ask: CallOptions = {}): Promise<Batch> {
      return await act(id, 'cancel', ask, (status) => status === 'canceled');
    },

    /** Starts no more rows; those in flight go on to their end. */
    async pause(id: string, ask: CallOptions = {}): Promise<Batch> {
      return await act(id, 'pause', ask, (status) => status === 'paused');
    },

    /** Goes on with what is not done. */
    async resume(
      id: string,
      { retryFailed = false, maxCostUsd, ...ask }: CallOptions & { retryFailed?: boolean; maxCostUsd?: number } = {},
    ): Promise<Batch> {
      const headers = { 'content-type': 'application/json' };
      const given: Ask = { ...ask, headers, body: JSON.stringify({ max_cost_usd: maxCostUsd }) };
      const action = `resume${retryFailed ? '?retry_failed=true' : ''}`;
      return await act(id, action, given, (status) => ['queued', 'running', 'completed'].includes(status));
    },

    /**
     * Removes the batch with the requests of its rows, its results and its inputs, and waits until nothing is left. It goes on
     * without the caller, too; the same call again tells of its end for a day. @returns what was removed
     */
    async delete(
      id: string,
      { onProgress, ...ask }: CallOptions & { onProgress?: (deletion: BatchDeletion) => void } = {},
    ): Promise<BatchDeletion> {
      for (;;) {
        const asked: Ask = { ...ask, method: 'DELETE' };
        const deletion = await exchange.send(
          pathOf(id),
          asked,
          async (response) => await readJson<BatchDeletion>(response),
        );
        onProgress?.(deletion);
        if (deletion.status === 'deleted') return deletion;
        await exchange.delay(deletionLookMs, ask.signal);
      }
    },

    /** Streams the result file or the error file into `write`. It begins anew, with another writer, when a try breaks off. */
    async download(
      id: string,
      file: 'results' | 'errors',
      into: () => WritableStream<Uint8Array>,
      ask: CallOptions = {},
    ): Promise<void> {
      const headers = { accept: 'application/x-ndjson' };
      await exchange.send(`${pathOf(id)}/${file}`, { ...ask, headers, extraMs: inputMs }, async (response) => {
        await (response.body ?? new Blob([]).stream()).pipeTo(into());
      });
    },
  };
}

function pathOf(id: string): string {
  return `${batches}/${encodeURIComponent(id)}`;
}
