import { randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { InputError } from '@bunri/batches';
import type { BatchLine } from '@bunri/queue-contracts';
import { claimPidFile } from '../pid-file.ts';
import { RunStopped } from './one-row.ts';

/** What the journal remembers of a row that is done. */
export interface Done {
  readonly status: BatchLine['status'];
  /** Where its result stands. */
  readonly start: number;
  readonly end: number;
  /** How often it was done; more than once where it failed and was to run again. */
  readonly times: number;
}

/**
 * The results of a run as they come, one line a row, each on the disk before its row counts as done. A row is known by what
 * it asks for, so that a changed input runs only what is new in it. What a kill has left of a last line is cut off.
 */
export interface Journal {
  /** Tells the requests of this run from those of another one over the same rows. */
  readonly runId: string;
  readonly done: ReadonlyMap<string, Done>;
  /** Resolves when the line is on the disk. */
  add(key: string, line: BatchLine): Promise<void>;
  read(done: Done): Promise<BatchLine>;
  close(): Promise<void>;
}

interface Entry {
  readonly key: string;
  readonly line: BatchLine;
}

const newline = 10;

/**
 * Opens the journal, or begins one, for this process alone. `resumed` tells which.
 * @throws RunStopped where another process has it, InputError for a file that is no journal
 */
export async function openJournal(
  path: string,
  mode: 'auto' | 'fresh',
): Promise<{ journal: Journal; resumed: boolean }> {
  const lock = `${path}.lock`;
  const holder = await claimPidFile(lock);
  if (holder !== null) {
    const message = `process ${holder} works on ${path}; name other files by --out, or remove ${lock} if it does not`;
    throw new RunStopped(message, false);
  }
  const release = async () => await rm(lock, { force: true });
  try {
    // Opened for appending, every write would go to the end of what a kill has left; the position is kept here.
    await (await open(path, mode === 'fresh' ? 'w' : 'a')).close();
    const file = await open(path, 'r+');
    return await load(file, path, release).catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
  } catch (error) {
    await release();
    throw error;
  }
}

async function load(
  file: FileHandle,
  path: string,
  release: () => Promise<void>,
): Promise<{ journal: Journal; resumed: boolean }> {
  const done = new Map<string, Done>();
  let runId = '';
  let end = 0;
  for await (const { text, start, next } of wholeLines(file)) {
    const value = parseLine(text);
    if (!value || 'run' in value !== (start === 0)) {
      throw new InputError(`${path} is no journal of a run; name another file by --out, or use --fresh`);
    }
    if ('run' in value) runId = value.run;
    else {
      const times = (done.get(value.key)?.times ?? 0) + 1;
      done.set(value.key, { status: value.line.status, start, end: next, times });
    }
    end = next;
  }
  await file.truncate(end);
  const resumed = runId !== '';
  if (!resumed) {
    runId = randomUUID();
    const head = Buffer.from(`${JSON.stringify({ run: runId })}\n`);
    await writeAll(file, head, 0);
    await file.datasync();
    end = head.byteLength;
  }
  return { journal: writing(file, { runId, done, end }, release), resumed };
}

function parseLine(text: string): Entry | { run: string } | null {
  try {
    const value = JSON.parse(text) as Partial<Entry & { run: string }> | null;
    return value?.run !== undefined || value?.line?.status !== undefined ? (value as Entry) : null;
  } catch {
    return null;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    at += (await file.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten;
  }
}

function writing(
  file: FileHandle,
  state: { runId: string; done: Map<string, Done>; end: number },
  release: () => Promise<void>,
): Journal {
  const { runId, done } = state;
  let { end } = state;
  let waiting: { bytes: Buffer; onDisk: () => void; failed: (error: unknown) => void }[] = [];
  let writer: Promise<void> | undefined;

  /** What comes while the disk is busy goes with the next write. */
  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      try {
        const bytes = Buffer.concat(group.map((each) => each.bytes));
        await writeAll(file, bytes, end);
        await file.datasync();
        for (const each of group) {
          each.onDisk();
        }
      } catch (error) {
        for (const each of group) each.failed(error);
      }
    }
    writer = undefined;
  }

  return {
    runId,
    done,
    async add(key, line) {
      const bytes = Buffer.from(`${JSON.stringify({ key, line })}\n`);
      const times = (done.get(key)?.times ?? 0) + 1;
      await new Promise<void>((resolve, reject) => {
        const onDisk = () => {
          done.set(key, { status: line.status, start: end, end: end + bytes.byteLength, times });
          end += bytes.byteLength;
          resolve();
        };
        waiting.push({ bytes, onDisk, failed: reject });
        writer ??= drain();
      });
    },
    async read({ start, end: until }) {
      const bytes = Buffer.alloc(until - start);
      await file.read(bytes, 0, bytes.byteLength, start);
      return (JSON.parse(bytes.toString('utf8')) as Entry).line;
    },
    async close() {
      await writer;
      await file.close();
      await release();
    },
  };
}

/** Lines that end, with where they stand. */
async function* wholeLines(file: FileHandle): AsyncGenerator<{ text: string; start: number; next: number }> {
  let rest = Buffer.alloc(0);
  let start = 0;
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(newline); at >= 0; at = rest.indexOf(newline)) {
      const next = start + at + 1;
      yield { text: rest.subarray(0, at).toString('utf8'), start, next };
      rest = rest.subarray(at + 1);
      start = next;
    }
  }
}
