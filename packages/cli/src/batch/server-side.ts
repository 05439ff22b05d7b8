import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, openAsBlob } from 'node:fs';
import { rename } from 'node:fs/promises';
import { extname } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { InputError } from '@bunri/batches';
import {
  createBatchClient,
  isPassing,
  ProblemError,
  type Batch,
  type BatchClient,
  type BatchInputType,
} from '@bunri/client';
import { isBatchSettled } from '@bunri/queue-contracts';
import type { CommandIo } from '../command.ts';
import { asJson } from '../table.ts';
import { RunStopped } from './one-row.ts';
import type { BatchOptions } from './options.ts';

const lookEveryMs = 1_000;

/**
 * Hands the file in as one batch and follows it to its rest. Interrupted, the batch goes on without us, and the same command
 * within a day follows it again.
 */
export async function runServerSide(options: BatchOptions, io: CommandIo): Promise<number> {
  const client = createBatchClient({
    baseUrl: options.server,
    apiKey: io.env['BUNRI_API_KEY'],
    patienceMs: options.patienceMs,
  });
  let created: Batch | undefined;
  try {
    created = await goOn(client, await handIn(client, options, io), options, io);
    io.err(`batch ${created.id} of ${created.counts.total} rows${estimateOf(created)}`);
    const rested = await follow(client, created, io);
    await saveFiles(client, rested, options, io.signal);
    if (options.json) io.out(asJson(rested));
    else for (const line of lines(rested, options)) io.out(line);
    return rested.status === 'completed' && rested.counts.completed === rested.counts.total ? 0 : 1;
  } catch (error) {
    if (io.signal.aborted && created) io.err(`batch ${created.id} goes on; the same command follows it again`);
    if (isPassing(error)) throw new RunStopped(error.message, true, { cause: error });
    throw error;
  }
}

async function handIn(client: BatchClient, options: BatchOptions, io: CommandIo): Promise<Batch> {
  const { source, question, locale, maxCostUsd } = options;
  const type: BatchInputType =
    source.kind === 'zip' ? 'application/zip' : extname(source.path) === '.jsonl' ? 'application/x-ndjson' : 'text/csv';
  const input = await openAsBlob(source.path, { type });
  try {
    const terms = { question, locale, max_cost_usd: maxCostUsd };
    const idempotencyKey = options.journal === 'fresh' ? undefined : await keyOf(source.path, terms);
    return await client.create(input, type, { terms, idempotencyKey, signal: io.signal });
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'batch_invalid') throw error;
    for (const each of error.errors.slice(0, 20)) {
      const row = 'row' in each && typeof each.row === 'number' ? `row ${each.row}: ` : '';
      io.err(`${row}${each.field} ${each.message}`);
    }
    throw new InputError(error.message, { cause: error });
  }
}

/** The same file with the same terms is the same batch. */
async function keyOf(path: string, terms: object): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(terms));
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return `bunri-batch-${hash.digest('hex')}`;
}

/** A batch that an earlier run has handed in goes on with what is not done. */
async function goOn(client: BatchClient, batch: Batch, { retryFailed }: BatchOptions, io: CommandIo): Promise<Batch> {
  const { status, counts } = batch;
  const isOver = status === 'completed' && !(retryFailed && counts.failed > 0);
  if (!isBatchSettled(status) || isOver) return batch;
  return await client.resume(batch.id, { retryFailed, signal: io.signal });
}

async function follow(client: BatchClient, created: Batch, io: CommandIo): Promise<Batch> {
  let told = -1;
  for (let batch = created; ; batch = await client.get(created.id, { signal: io.signal })) {
    const percent = Math.floor(batch.progress * 100);
    if (percent !== told) io.err(`${percent}% ${batch.status}, ${batch.counts.in_flight} in flight`);
    told = percent;
    if (isBatchSettled(batch.status) && batch.counts.in_flight === 0) return batch;
    await delay(lookEveryMs, undefined, { signal: io.signal });
  }
}

async function saveFiles(
  client: BatchClient,
  { id }: Batch,
  { out, errors }: BatchOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const [file, path] of [
    ['results', out],
    ['errors', errors],
  ] as const) {
    const partial = `${path}.partial`;
    await client.download(id, file, () => Writable.toWeb(createWriteStream(partial)), { signal });
    await rename(partial, path);
  }
}

function estimateOf({ cost }: Batch): string {
  return cost.estimated_usd === null ? '' : `, estimated at ${cost.estimated_usd.toFixed(4)} USD`;
}

function lines({ status, reason, counts, cost }: Batch, { out, errors }: BatchOptions): string[] {
  const told = Object.entries(counts).filter(([name, count]) => name !== 'total' && count > 0);
  return [
    `${status}${reason === null ? '' : ` (${reason})`}: ${told.map(([name, count]) => `${count} ${name.replace('_', ' ')}`).join(', ')}`,
    `cost: ${cost.spent_usd.toFixed(4)} USD`,
    `results: ${out}; rows without an answer: ${errors}`,
  ];
}
