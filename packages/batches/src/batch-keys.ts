import { sha256 } from '@bunri/runtime';

/** Rows, and their results, are stored in objects of so many rows: one read and one write for as many that run together. */
export const rowsPerChunk = 200;

/** The chunk of a row; rows count from 1, chunks from 0. */
export function chunkOf(row: number): number {
  return Math.floor((row - 1) / rowsPerChunk);
}

/** The first row of a chunk. */
export function firstRowOf(chunk: number): number {
  return chunk * rowsPerChunk + 1;
}

/**
 * Whether a row of this mark may start. Marks are c for completed, f for failed, x for canceled, i for invalid, r for one
 * that is to run again; NUL, or nothing behind the last mark, for one that has never ended.
 */
export function mayStart(mark: string | undefined): boolean {
  return mark === undefined || mark === '' || mark === '\0' || mark === 'r';
}

/** Every Redis key of batches. */
export interface BatchKeys {
  batch(id: string): string;
  /** Rows in flight with the ids of their requests. */
  flight(id: string): string;
  /** One byte a row, as in `mayStart`. */
  outcomes(id: string): string;
  /** Which object has the results of a chunk. */
  results(id: string): string;
  owner(owner: string): string;
  /** What was removed with a batch, for a while. */
  deletion(id: string): string;
  idempotency(owner: string, key: string): string;
  /** Batches that have anything to do, by the time since when they have. */
  readonly open: string;
  /** Rows in flight of each open batch. */
  readonly inFlight: string;
}

export function createBatchKeys(prefix: string): BatchKeys {
  return {
    batch: (id) => `${prefix}:batch:${id}`,
    flight: (id) => `${prefix}:batch:${id}:flight`,
    outcomes: (id) => `${prefix}:batch:${id}:outcomes`,
    results: (id) => `${prefix}:batch:${id}:results`,
    deletion: (id) => `${prefix}:batch:${id}:deletion`,
    owner: (owner) => `${prefix}:batches:owner:${owner}`,
    idempotency: (owner, key) => `${prefix}:batches:key:${owner}:${sha256(key)}`,
    open: `${prefix}:batches:open`,
    inFlight: `${prefix}:batches:in-flight`,
  };
}

/** The keys of what a row in flight belongs to, in the order of the scripts. */
export function ofBatch(keys: BatchKeys, id: string): string[] {
  return [keys.batch(id), keys.flight(id), keys.outcomes(id), keys.inFlight, keys.results(id), keys.open];
}

/** Keys of a batch's objects. Photos of an archive lie with the uploads, and are kept as long as those. */
export const batchObjects = {
  folder: 'batches/',
  all: (id: string) => `batches/${id}/`,
  input: (id: string) => `batches/${id}/input`,
  rows: (id: string, chunk: number) => `batches/${id}/rows/${digits(chunk)}.jsonl`,
  results: (id: string, chunk: number, version: string) => `batches/${id}/results/${digits(chunk)}-${version}.jsonl`,
  photos: (id: string) => `uploads/${id}-`,
  photo: (id: string, row: number) => `uploads/${id}-${row}`,
};

function digits(chunk: number): string {
  return String(chunk).padStart(6, '0');
}
