import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import {
  fromRandomAccessReaderPromise,
  getFileNameLowLevel,
  RandomAccessReader,
  validateFileName,
  type Entry,
  type ZipFile,
} from 'yauzl';
import { InputError } from './read-rows.ts';
import { maxRows } from './row.ts';

/** Reads some bytes of the archive, `end` exclusive. */
export type ReadRange = (start: number, end: number) => Promise<Readable>;

export interface ZipLimits {
  /** Of one photo. */
  readonly entryBytes: number;
  /** Of all entries together, unpacked. */
  readonly totalBytes: number;
}

/** One file of the archive. */
export interface ZipEntry {
  readonly name: string;
  /** Why it must not be read. */
  readonly problem: string | null;
  readonly entry: Entry;
}

export interface ZipArchive {
  /** In the order of the archive, by name. What operating systems add is left out. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Names that more than one entry has. */
  readonly twice: ReadonlySet<string>;
  /** Its bytes, no more than its header told. Fails for a checksum or size that is not as told. */
  open(entry: ZipEntry): Promise<Readable>;
  close(): void;
}

const maxNameBytes = 512;
/** Names, extra fields and comments are held for as long as the archive is open. */
const maxDirectoryBytes = 32 * 2 ** 20;
/** Photos are compressed already: what unpacks to far more than it takes is no photo. */
const maxRatio = 100;
const smallBytes = 2 ** 20;

/** Opens an archive by its directory, which is at its end; nothing is unpacked. @throws InputError */
export async function openZip(readRange: ReadRange, sizeBytes: number, limits: ZipLimits): Promise<ZipArchive> {
  const reader = new StoredReader(readRange, sizeBytes);
  let zip: ZipFile | undefined;
  try {
    // Names are decoded here: the library would end at the first bad one, and all of them are to be told.
    zip = await fromRandomAccessReaderPromise(reader, sizeBytes, { decodeStrings: false, autoClose: false });
    const { entries, twice } = await readDirectory(zip, limits);
    const opened = zip;
    return {
      entries,
      twice,
      open: async ({ entry }) => await openEntry(opened, entry),
      close: () => opened.close(),
    };
  } catch (error) {
    zip?.close();
    if (error instanceof InputError || reader.failure) throw reader.failure ?? error;
    throw new InputError('The ZIP archive cannot be read. Send one that is whole, without encryption.', {
      cause: error,
    });
  }
}

async function readDirectory(zip: ZipFile, limits: ZipLimits) {
  if (zip.entryCount > maxRows + 1) throw new InputError(`The archive has more than ${maxRows} files.`);
  const entries = new Map<string, ZipEntry>();
  const twice = new Set<string>();
  const folded = new Set<string>();
  let totalBytes = 0;
  let directoryBytes = 0;
  for await (const entry of zip.eachEntry()) {
    directoryBytes += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
    if (directoryBytes > maxDirectoryBytes) {
      throw new InputError('The names and comments of the archive are too long. Send it in parts, or pack it anew.');
    }
    const name = nameOf(entry);
    if (name.endsWith('/') || isLitter(name)) continue;
    totalBytes += entry.uncompressedSize;
    if (totalBytes > limits.totalBytes) {
      throw new InputError(
        `The archive would unpack to more than ${limits.totalBytes / 2 ** 20} MiB. Send it in parts.`,
      );
    }
    // Names that differ by case alone are one file on many machines.
    const same = name.toLowerCase();
    if (folded.has(same)) twice.add(name);
    folded.add(same);
    if (!entries.has(name)) entries.set(name, { name, entry, problem: problemOf(name, entry, limits) });
  }
  return { entries, twice };
}

function nameOf(entry: Entry): string {
  return getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
}

function isLitter(name: string): boolean {
  const base = name.slice(name.lastIndexOf('/') + 1);
  return name.startsWith('__MACOSX/') || base === '.DS_Store' || base === 'Thumbs.db' || base.startsWith('._');
}

const archiveNames = /\.(zip|jar|gz|tgz|bz2|xz|zst|7z|rar|tar)$/i;
const symbolicLink = 0o120000;

function problemOf(name: string, entry: Entry, limits: ZipLimits): string | null {
  if (entry.fileNameRaw.byteLength > maxNameBytes) return `has a name of more than ${maxNameBytes} bytes`;
  if (validateFileName(name) !== null || name.includes('\0')) return 'has a path that leads out of the archive';
  if (((entry.externalFileAttributes >>> 16) & 0o170000) === symbolicLink) return 'is a symbolic link';
  if (entry.isEncrypted()) return 'is encrypted';
  if (archiveNames.test(name)) return 'is an archive within the archive';
  if (!entry.canDecodeFileData()) return 'is compressed in a way that is not supported';
  if (entry.uncompressedSize === 0) return 'is empty';
  if (entry.uncompressedSize > limits.entryBytes && !isManifest(name)) {
    return `is larger than ${limits.entryBytes / 2 ** 20} MiB`;
  }
  if (entry.uncompressedSize > smallBytes && entry.uncompressedSize > maxRatio * entry.compressedSize) {
    return 'is compressed more than a photo can be';
  }
  return null;
}

/** A list of rows at the archive's top. */
export function isManifest(name: string): boolean {
  return name === 'manifest.csv' || name === 'manifest.jsonl';
}

async function openEntry(zip: ZipFile, entry: Entry): Promise<Readable> {
  const stream = await new Promise<Readable>((resolve, reject) => {
    zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened)));
  });
  return Readable.from(checkSum(stream, entry.crc32), { objectMode: false });
}

/** The library looks at sizes only. */
async function* checkSum(stream: Readable, told: number): AsyncGenerator<Uint8Array> {
  let sum = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    sum = crc32(chunk, sum);
    yield chunk;
  }
  if (sum !== told) throw new Error('is damaged: its checksum is another one than the archive tells');
}

/** An archive in the bucket as the library wants to read it. */
class StoredReader extends RandomAccessReader {
  /** Of the bucket; the library would take it for one of the archive. */
  failure: unknown;
  readonly #readRange: ReadRange;
  readonly #sizeBytes: number;

  constructor(readRange: ReadRange, sizeBytes: number) {
    super();
    this.#readRange = readRange;
    this.#sizeBytes = sizeBytes;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    const through = new PassThrough();
    // What an archive says lies behind its end is not there; the bucket would take the question for a mistake of ours.
    if (start >= this.#sizeBytes) return through.end();
    void this.#pass(start, end, through);
    return through;
  }

  /** Never rejects: what fails breaks the stream. */
  async #pass(start: number, end: number, through: PassThrough): Promise<void> {
    try {
      const body = await this.#readRange(start, end);
      await pipeline(body, through);
    } catch (error) {
      // Whoever reads an entry may stop before its end.
      if (!through.destroyed) this.failure = error;
      through.destroy(error as Error);
    }
  }
}
