import type { Readable } from 'node:stream';
import type { BatchLine, RowError } from '@bunri/queue-contracts';
import { sha256 } from '@bunri/runtime';
import { rowsPerChunk } from './batch-keys.ts';
import { readPhoto, type InspectPhoto } from './read-photo.ts';
import { InputError, readCsv, readJsonLines } from './read-rows.ts';
import { maxRows, parseRow, type RawRow, type Row, type RowImage, type WantedRow } from './row.ts';
import { isManifest, openZip, type ReadRange, type ZipArchive } from './zip-entries.ts';

export type InputKind = 'csv' | 'jsonl' | 'zip';

/** Where the input is, and what becomes of it. */
export interface Validation {
  readonly kind: InputKind;
  readonly open: () => Promise<Readable>;
  readonly readRange: ReadRange;
  readonly sizeBytes: number;
  /** @returns the URL as it is to be fetched. @throws Error whose message says why it is refused. */
  readonly checkUrl: (url: string) => string;
  /** @throws Error whose message says which of these models nobody serves. */
  readonly checkModels: (models: readonly string[]) => void;
  readonly inspect: InspectPhoto;
  readonly maxPhotoBytes: number;
  /** Keeps a photo of the archive for this row. @returns its key. Without it nothing is kept. */
  readonly keepPhoto?: ((row: number, bytes: Uint8Array) => Promise<string>) | undefined;
  /** Takes each full chunk of rows, null in the place of an invalid one, with the lines of those. */
  readonly takeChunk: (chunk: number, rows: readonly (Row | null)[], invalid: readonly BatchLine[]) => Promise<void>;
  readonly signal: AbortSignal;
  /** Default 100,000. */
  readonly mostRows?: number;
}

export interface ValidationReport {
  readonly total: number;
  readonly invalid: readonly number[];
  /** The first hundred of all that is wrong. */
  readonly errors: readonly RowError[];
  /** How many valid rows name which models, with commas between them; '' for none. */
  readonly models: ReadonlyMap<string, number>;
}

const mostErrorsTold = 100;
/** Of all photos of an archive together. */
const maxArchiveBytes = 2 * 2 ** 30;

/**
 * Looks at every row of an input, photos of an archive included, in bounded memory: a chunk of rows, one photo, and 16 bytes
 * a row for keys that occur twice.
 *
 * @throws InputError for an input that cannot be read at all; what storage throws.
 */
export async function validateInput(validation: Validation): Promise<ValidationReport> {
  const { kind } = validation;
  if (kind !== 'zip') {
    const input = await validation.open();
    return await validateRows(validation, kind === 'csv' ? readCsv(input) : readJsonLines(input), null);
  }
  const limits = { entryBytes: validation.maxPhotoBytes, totalBytes: maxArchiveBytes };
  const archive = await openZip(validation.readRange, validation.sizeBytes, limits);
  try {
    return await validateRows(validation, await rowsOfArchive(archive), archive);
  } finally {
    archive.close();
  }
}

/** The rows of an archive: its manifest's, else one for each of its files. @throws InputError */
export async function rowsOfArchive(archive: ZipArchive): Promise<AsyncIterable<RawRow> | Iterable<RawRow>> {
  const manifests = [...archive.entries.values()].filter(({ name }) => isManifest(name));
  const [manifest, second] = manifests;
  if (second) throw new InputError('The archive has two manifests. Keep manifest.csv or manifest.jsonl.');
  if (manifest?.problem) throw new InputError(`The manifest ${manifest.problem}.`);
  if (manifest) {
    const input = await archive.open(manifest);
    return manifest.name.endsWith('.csv') ? readCsv(input) : readJsonLines(input);
  }
  const names = [...archive.entries.keys()];
  if (names.length === 0) throw new InputError('The archive has no files. Send one with photos.');
  return names.map((image, i) => ({ row: i + 1, fields: { image } }));
}

async function validateRows(
  validation: Validation,
  rows: AsyncIterable<RawRow> | Iterable<RawRow>,
  archive: ZipArchive | null,
): Promise<ValidationReport> {
  const { takeChunk, signal, mostRows = maxRows } = validation;
  const errors: RowError[] = [];
  const invalid: number[] = [];
  const keys = new Set<string>();
  const models = new Map<string, number>();
  let total = 0;
  let chunk: (Row | null)[] = [];
  let lines: BatchLine[] = [];
  const flush = async () => {
    if (chunk.length === 0) return;
    await takeChunk(Math.floor((total - 1) / rowsPerChunk), chunk, lines);
    chunk = [];
    lines = [];
  };
  for await (const raw of rows) {
    signal.throwIfAborted();
    if (raw.row > mostRows) throw new InputError(`The input has more than ${mostRows} rows. Send it in parts.`);
    const result = await checkRow(validation, raw, archive, keys);
    total = raw.row;
    if ('row' in result) {
      chunk.push(result.row);
      const named = result.row.models?.join(',') ?? '';
      models.set(named, (models.get(named) ?? 0) + 1);
    } else {
      chunk.push(null);
      invalid.push(raw.row);
      lines.push(invalidLine(raw, result.errors));
      errors.push(...result.errors.slice(0, mostErrorsTold - errors.length));
    }
    if (chunk.length === rowsPerChunk) await flush();
  }
  await flush();
  if (total === 0) throw new InputError('The input has no rows. Send one at least.');
  return { total, invalid, errors, models };
}

function invalidLine({ row, fields }: RawRow, errors: readonly RowError[]): BatchLine {
  const message = errors.map(({ field, message: what }) => `${field}: ${what}`).join('; ');
  const image = fields?.['image_url'] ?? fields?.['image'];
  const key = fields?.['idempotency_key'];
  return {
    row,
    key: typeof key === 'string' ? key.slice(0, 255) : null,
    image: typeof image === 'string' ? image.slice(0, 2048) : null,
    status: 'invalid',
    classification: null,
    error: { code: 'row_invalid', message },
  };
}

type Checked = { row: Row } | { errors: RowError[] };

async function checkRow(
  validation: Validation,
  raw: RawRow,
  archive: ZipArchive | null,
  keys: Set<string>,
): Promise<Checked> {
  const parsed = parseRow(raw);
  if ('errors' in parsed) return parsed;
  const { wanted } = parsed;
  const refuse = (field: string, message: string): Checked => ({ errors: [{ row: raw.row, field, message }] });
  if (wanted.key !== undefined) {
    const short = sha256(wanted.key).slice(0, 32);
    if (keys.has(short)) return refuse('idempotency_key', 'is that of an earlier row');
    keys.add(short);
  }
  try {
    if (wanted.models) validation.checkModels(wanted.models);
  } catch (error) {
    return refuse('models', error instanceof Error ? error.message : 'is refused');
  }
  const { url, file } = wanted.image;
  if (file !== undefined) return await checkFile(validation, wanted, file, archive);
  try {
    return { row: { ...wanted, image: { kind: 'url', url: validation.checkUrl(url ?? '') } } };
  } catch (error) {
    return refuse('image_url', error instanceof Error ? error.message : 'is refused');
  }
}

async function checkFile(
  { inspect, maxPhotoBytes, keepPhoto }: Validation,
  wanted: WantedRow,
  name: string,
  archive: ZipArchive | null,
): Promise<Checked> {
  const { row } = wanted;
  const refuse = (message: string): Checked => ({ errors: [{ row, field: 'image', message }] });
  if (!archive) return refuse('names a file, and only an archive has files; give an image_url');
  const entry = archive.entries.get(name);
  if (!entry || isManifest(name)) return refuse('is not in the archive');
  if (archive.twice.has(name)) return refuse('is in the archive twice, by this name or one that differs in case alone');
  if (entry.problem !== null) return refuse(entry.problem);
  const photo = await readPhoto(async () => await archive.open(entry), { inspect, maxBytes: maxPhotoBytes });
  if ('problem' in photo) return refuse(photo.problem);
  const key = keepPhoto ? await keepPhoto(row, photo.bytes) : '';
  const image: RowImage = { kind: 'file', name, key, ...photo.facts };
  return { row: { ...wanted, image } };
}
