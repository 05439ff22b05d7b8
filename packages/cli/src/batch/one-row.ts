import { createHash } from 'node:crypto';
import { hasEnded, isPassing, ProblemError, type ClassificationEvent, type Client, type Resource } from '@bunri/client';
import { failureCodes, type BatchLine, type FailureCode } from '@bunri/queue-contracts';
import type { BatchOptions } from './options.ts';
import type { LocalRow } from './rows.ts';

/** No row can be sent now, or by this key: the run ends, and may be gone on with. */
export class RunStopped extends Error {
  override readonly name = 'RunStopped';
  /** Whether the server could not be reached, or took nothing. */
  readonly unavailable: boolean;

  constructor(message: string, unavailable: boolean, options?: ErrorOptions) {
    super(message, options);
    this.unavailable = unavailable;
  }
}

/** The photo of a row, once it was read, and what tells the row from every other one. */
export interface ReadRow {
  readonly row: LocalRow;
  readonly photo: Uint8Array | { readonly imageUrl: string };
  readonly key: string;
}

type Asked = Pick<BatchOptions, 'question' | 'locale' | 'timeoutS'>;

/** @throws what reading the photo throws */
export async function readRow(row: LocalRow, { question, locale }: Asked): Promise<ReadRow> {
  const photo = row.read ? await row.read() : { imageUrl: row.name };
  const image = 'imageUrl' in photo ? photo.imageUrl : createHash('sha256').update(photo).digest('hex');
  const { region, models, metadata } = row;
  const asked = [
    image,
    row.question ?? question,
    row.locale ?? locale,
    region,
    models,
    metadata,
    row.deadlineS,
    row.key,
  ];
  const key = createHash('sha256').update(JSON.stringify(asked)).digest('hex');
  return { row, photo, key };
}

/** The server closes a request at its deadline; this is for a server that does not say so. */
const graceS = 60;

export interface RowContext {
  readonly client: Client;
  readonly options: Asked;
  /** Lets so many photos be on their way at once. */
  readonly sending: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: ClassificationEvent) => void;
  /** How long after its deadline a row may end. Default 60. */
  readonly graceS?: number;
}

/** Sends a row and waits for its end. Sent again with the same key, it is the same request. @throws RunStopped; the reason of an abort */
export async function runRow({ row, photo }: ReadRow, context: RowContext): Promise<BatchLine> {
  const { client, options, signal } = context;
  const deadlineS = Math.max(5, row.deadlineS ?? options.timeoutS);
  const { question, locale, region, models, metadata } = {
    ...row,
    question: row.question ?? options.question,
    locale: row.locale ?? options.locale,
  };
  try {
    const { resource, finished } = await context.sending(
      async () =>
        await client.submit(photo, {
          question,
          locale,
          region,
          models,
          metadata,
          deadlineS,
          priority: 'batch',
          idempotencyKey: row.key ?? context.idempotencyKey,
          signal,
        }),
    );
    const limitS = deadlineS + (context.graceS ?? graceS);
    const ended = finished ? resource : await waitInTime(resource.id, limitS, context);
    if (ended) return toLine(row, ended);
    return failed(row, 'deadline_exceeded', `The server did not tell of an end within ${limitS} s.`);
  } catch (error) {
    signal.throwIfAborted();
    if (isPassing(error)) throw new RunStopped(error.message, true, { cause: error });
    if (!(error instanceof ProblemError)) throw error;
    // What is wrong with the key, the caps or the server is not wrong with this row.
    if ([401, 402, 403, 404, 405, 410, 500].includes(error.status)) {
      throw new RunStopped(`${error.title}: ${error.message}`, error.status === 500, { cause: error });
    }
    return failed(row, toCode(error.code), error.message);
  }
}

/** The ended request, or null. A server that is away for longer than patience lasts is no end of a row. */
async function waitInTime(
  id: string,
  limitS: number,
  { client, signal, onEvent }: RowContext,
): Promise<Resource | null> {
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(limitS * 1000)]);
  try {
    return await client.wait(id, { signal: inTime, onEvent });
  } catch (error) {
    signal.throwIfAborted();
    if (!inTime.aborted) throw error;
    const resource = await client.get(id, { signal });
    return hasEnded(resource) ? resource : null;
  }
}

function toLine(row: LocalRow, resource: Resource): BatchLine {
  const status = resource.status as 'completed' | 'failed' | 'canceled';
  const { error } = resource;
  return {
    ...common(row),
    status,
    classification: resource,
    error: error && { code: error.code, message: error.message },
  };
}

/** A row that never was a request. */
export function failed(row: LocalRow, code: NonNullable<BatchLine['error']>['code'], message: string): BatchLine {
  return { ...common(row), status: 'failed', classification: null, error: { code, message } };
}

function common(row: LocalRow) {
  return { row: row.row, key: row.key ?? null, image: row.name };
}

function toCode(code: string): NonNullable<BatchLine['error']>['code'] {
  if (code === 'idempotency_conflict') return code;
  return (failureCodes as readonly string[]).includes(code) ? (code as FailureCode) : 'row_invalid';
}
