import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { readResults, ResultsGone, type BatchState, type BatchStore, type ResultFile } from '@bunri/batches';
import type { Storage } from '@bunri/runtime';
import { Problem } from '../problem.ts';

export const resultTypes = { 'application/x-ndjson': 'jsonl', 'text/csv': 'csv' } as const;

/** Streams the result file or the error file as it stands, in the format that the client asks for. */
export async function sendResults(
  { batches: store, storage }: { batches: BatchStore; storage: Pick<Storage, 'getBytes'> },
  { request, response }: { request: Request; response: Response },
  { state, file }: { state: BatchState; file: ResultFile },
): Promise<void> {
  const types = Object.keys(resultTypes) as (keyof typeof resultTypes)[];
  const type = types.find((each) => each === request.accepts(types));
  if (!type) throw new Problem('not_acceptable', `Accept ${types.join(' or ')}.`);
  const format = resultTypes[type];
  const pieces = readResults({ store, storage }, state, { file, format });
  // The first piece before the headers: what is gone is told with its status.
  const first = await pieces.next().catch((error: unknown) => {
    if (!(error instanceof ResultsGone)) throw error;
    throw new Problem('results_gone', 'The results of this batch are past their retention.', { cause: error });
  });
  // The name would decide the type otherwise.
  response.attachment(`${state.spec.id}-${file}.${format}`).type(type);
  async function* all() {
    if (!first.done) yield first.value;
    yield* pieces;
  }
  await pipeline(Readable.from(all()), response);
}
