import type { Client } from '@bunri/client';
import { failed, readRow, runRow, RunStopped, type ReadRow } from './one-row.ts';
import type { Journal } from './journal.ts';
import type { BatchOptions } from './options.ts';
import type { RowKeys } from './outputs.ts';
import type { LocalRow } from './rows.ts';
import type { createTally } from './tally.ts';
import type { View } from './view.ts';

export interface RunDeps {
  readonly client: Client;
  readonly options: BatchOptions;
  readonly journal: Journal;
  readonly tally: Pick<ReturnType<typeof createTally>, 'begin' | 'skip'>;
  readonly view: View;
  readonly signal: AbortSignal;
}

export interface RunEnd {
  readonly keys: RowKeys;
  /** What ended the run early; null where every row was reached. */
  readonly stopped: unknown;
}

/**
 * Runs the rows that are not done, so many at once. A row is done when its line is on the disk; a run that is killed before
 * has sent it under a key that follows from the row, so that the next run finds the same request.
 */
export async function runRows(rows: readonly LocalRow[], deps: RunDeps): Promise<RunEnd> {
  const { options, signal } = deps;
  const keys = new Map<number, string>();
  // The first trouble that is not a row's own ends all of them.
  const stopping = new AbortController();
  const ending = AbortSignal.any([signal, stopping.signal]);
  const sending = limitOf(options.concurrency);
  const left = rows.values();
  const run = async () => {
    for (const row of left) {
      if (ending.aborted) return;
      await doRow(row, { ...deps, signal: ending, sending, keys });
    }
  };
  const workers = Array.from({ length: options.batchSize }, async () => {
    try {
      await run();
    } catch (error) {
      if (!ending.aborted) stopping.abort(error);
    }
  });
  await Promise.all(workers);
  const stopped: unknown = ending.aborted ? ending.reason : null;
  return { keys: rows.map(({ row }) => [row, keys.get(row)] as const), stopped };
}

interface RowDeps extends RunDeps {
  readonly sending: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly keys: Map<number, string>;
}

async function doRow(row: LocalRow, deps: RowDeps): Promise<void> {
  const { journal, options, view, tally } = deps;
  const read = await readOrNull(row, options);
  // A photo that cannot be read any more is known by its name.
  const key = read?.key ?? `unread:${row.name}`;
  deps.keys.set(row.row, key);
  const done = journal.done.get(key);
  if (done && (done.status === 'completed' || !options.retryFailed)) {
    tally.skip();
    return;
  }
  const { onEvent, end } = tally.begin();
  view.update();
  const idempotencyKey = `bunri-batch-${journal.runId}-${key.slice(0, 64)}-${done?.times ?? 0}`;
  let line = null;
  try {
    const context = {
      ...deps,
      idempotencyKey,
      onEvent: (event: Parameters<typeof onEvent>[0]) => {
        onEvent(event);
        view.update();
      },
    };
    line = read
      ? await runRow(done ? withoutKey(read) : read, context)
      : failed(row, 'row_invalid', 'The photo cannot be read any more.');
    await journal.add(key, line);
  } catch (error) {
    line = null;
    throw error;
  } finally {
    end(line);
    view.update();
  }
}

/** What failed and runs again is a new request: the row's own key would give the old one. */
function withoutKey({ row, ...read }: ReadRow): ReadRow {
  const { key: _own, ...rest } = row;
  return { ...read, row: rest };
}

async function readOrNull(row: LocalRow, options: BatchOptions): Promise<ReadRow | null> {
  try {
    return await readRow(row, options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A disk that fails, or too many open files, is no trouble of this row.
    if (code === 'ENOENT' || code === 'EACCES' || code === undefined) return null;
    throw new RunStopped(`${row.name} cannot be read (${code})`, false, { cause: error });
  }
}

/** Lets so many works run at once; the others wait in line. */
function limitOf(limit: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const line: (() => void)[] = [];
  let free = limit;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => line.push(resolve));
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next) next();
      else free += 1;
    }
  };
}
