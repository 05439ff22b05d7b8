import { createReadStream } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve } from 'node:path';
import {
  InputError,
  isManifest,
  openZip,
  parseRow,
  readCsv,
  rowsOfArchive,
  type RawRow,
  type WantedRow,
} from '@bunri/batches';
import type { RowError } from '@bunri/queue-contracts';
import type { Source } from './options.ts';

/** A row that is ready to be sent. */
export interface LocalRow extends Omit<WantedRow, 'image'> {
  /** The URL, or the name of the file. */
  readonly name: string;
  /** Undefined for a photo that the server fetches by itself. */
  readonly read: (() => Promise<Uint8Array>) | undefined;
}

export interface LocalRows {
  readonly rows: readonly LocalRow[];
  readonly errors: readonly RowError[];
  readonly close: () => Promise<void>;
}

const maxPhotoBytes = 10 * 2 ** 20;
const photoNames = new Set(['.jpg', '.jpeg', '.png', '.webp', '.avif', '.heic']);

/** All rows of a source, looked at before any is sent. @throws InputError for a source that cannot be read at all */
export async function readLocalRows(source: Source): Promise<LocalRows> {
  try {
    if (source.kind === 'folder') return await rowsOfFolder(source.path);
    if (source.kind === 'zip') return await rowsOfZip(source.path);
    return await rowsOfCsv(source.path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    throw new InputError(`${source.path} cannot be read (${code})`, { cause: error });
  }
}

async function rowsOfFolder(folder: string): Promise<LocalRows> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && photoNames.has(extname(entry.name).toLowerCase()))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  if (paths.length === 0) throw new InputError(`${folder} has no photos`);
  const rows = paths.map((path, i) => ({
    row: i + 1,
    name: relative(folder, path),
    read: async () => await readFile(path),
  }));
  return { rows, errors: [], close: async () => await Promise.resolve() };
}

async function rowsOfCsv(path: string): Promise<LocalRows> {
  // The name of a file that cannot be opened is told here; a stream would tell it in the middle of the reading.
  await (await open(path)).close();
  const beside = dirname(resolve(path));
  const { rows, errors } = await collect(readCsv(createReadStream(path)), async (file) => {
    const at = resolve(beside, file);
    const facts = await stat(at).catch(() => null);
    if (!facts?.isFile()) return { problem: 'is no file that can be read' };
    if (facts.size > maxPhotoBytes) return { problem: `is larger than ${maxPhotoBytes / 2 ** 20} MiB` };
    return { read: async () => await readFile(at) };
  });
  return { rows, errors, close: async () => await Promise.resolve() };
}

async function rowsOfZip(path: string): Promise<LocalRows> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const readRange = async (start: number, end: number) =>
      await Promise.resolve(createReadStream('', { fd: file, start, end: end - 1, autoClose: false }));
    const archive = await openZip(readRange, size, { entryBytes: maxPhotoBytes, totalBytes: 64 * 2 ** 30 });
    const { rows, errors } = await collect(await rowsOfArchive(archive), async (name) => {
      const entry = archive.entries.get(name);
      if (!entry || isManifest(name)) return await Promise.resolve({ problem: 'is not in the archive' });
      if (archive.twice.has(name)) return { problem: 'is in the archive twice' };
      if (entry.problem !== null) return { problem: entry.problem };
      return { read: async () => Buffer.concat(await (await archive.open(entry)).toArray()) };
    });
    const close = async () => {
      archive.close();
      await file.close();
    };
    return { rows, errors, close };
  } catch (error) {
    await file.close();
    throw error;
  }
}

type Found = { readonly read: () => Promise<Uint8Array> } | { readonly problem: string };

async function collect(
  raw: AsyncIterable<RawRow> | Iterable<RawRow>,
  find: (file: string) => Promise<Found>,
): Promise<{ rows: LocalRow[]; errors: RowError[] }> {
  const rows: LocalRow[] = [];
  const errors: RowError[] = [];
  for await (const each of raw) {
    const parsed = parseRow(each);
    if ('errors' in parsed) {
      errors.push(...parsed.errors);
      continue;
    }
    const { image, ...wanted } = parsed.wanted;
    const { url, file } = image;
    const found: Found | null = file === undefined ? null : await find(file);
    if (found && 'problem' in found) errors.push({ row: each.row, field: 'image', message: found.problem });
    else rows.push({ ...wanted, name: url ?? file ?? '', read: found?.read });
  }
  if (rows.length + errors.length === 0) throw new InputError('the input has no rows');
  return { rows, errors };
}
