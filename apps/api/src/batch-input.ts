import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import busboy from 'busboy';
import type { Request } from 'express';
import type { InputKind } from '@bunri/batches';
import type { Storage } from '@bunri/runtime';
import { invalidField, Problem } from './problem.ts';

const mebibyte = 2 ** 20;
export const maxInputBytes: Readonly<Record<InputKind, number>> = {
  csv: 64 * mebibyte,
  jsonl: 64 * mebibyte,
  zip: 512 * mebibyte,
};

/** Media types of inputs; also what the name of a file in a form ends with. */
export const inputTypes = {
  'text/csv': 'csv',
  'application/x-ndjson': 'jsonl',
  'application/jsonl': 'jsonl',
  'application/zip': 'zip',
} as const satisfies Record<string, InputKind>;

export interface StoredInput {
  readonly kind: InputKind;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Streams the input of a batch into the bucket, limited by its size on the way. Whatever comes of it, the caller removes the object.
 * @throws Problem for what the client sent; TransientError `storage_unavailable`
 */
export async function receiveInput(
  request: Request,
  { storage, key }: { storage: Pick<Storage, 'putStream'>; key: string },
): Promise<StoredInput> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw new Problem('media_type_unsupported', 'Send the input without a content encoding.');
  if (request.is('multipart/form-data')) {
    const { file, kind, ended } = await openForm(request);
    const storing = store(file, kind, { storage, key });
    try {
      const [stored] = await Promise.all([storing, ended]);
      return stored;
    } catch (error) {
      // What is refused after the file must not leave it being stored.
      await storing.catch(() => undefined);
      throw error;
    }
  }
  const type = request.is(Object.keys(inputTypes));
  const kind = typeof type === 'string' ? inputTypes[type as keyof typeof inputTypes] : undefined;
  if (!kind) {
    const detail = `Send ${Object.keys(inputTypes).join(', ')}, or one of them as the file of multipart/form-data.`;
    throw new Problem('media_type_unsupported', detail);
  }
  const toldBytes = Number(request.headers['content-length'] ?? 0);
  if (toldBytes > maxInputBytes[kind]) throw tooLarge(kind);
  return await store(request, kind, { storage, key });
}

async function store(
  input: Readable,
  kind: InputKind,
  { storage, key }: { storage: Pick<Storage, 'putStream'>; key: string },
): Promise<StoredInput> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let broken: unknown;
  async function* counted(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of input as AsyncIterable<Uint8Array>) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes > maxInputBytes[kind]) throw tooLarge(kind);
        hash.update(chunk);
        yield chunk;
      }
      if (sizeBytes === 0) throw new Problem('invalid_request', 'The input is empty. Send one row at least.');
    } catch (error) {
      broken = error instanceof Problem ? error : unfinished(error);
      throw broken;
    }
  }
  try {
    await storage.putStream(key, Readable.from(counted()), 'application/octet-stream');
  } catch (error) {
    // The bucket reports its own failure for a stream that broke: the stream's reason comes first.
    throw broken ?? error;
  }
  return { kind, sizeBytes, sha256: hash.digest('hex') };
}

function unfinished(cause: unknown): Problem {
  return new Problem('invalid_request', 'The body ended too early, or is no well-formed form.', { cause });
}

function tooLarge(kind: InputKind): Problem {
  const detail = `Send at most ${maxInputBytes[kind] / mebibyte} MiB of ${kind} at once, and more in several batches.`;
  return new Problem('body_too_large', detail);
}

const formLimits = { fields: 1, files: 2, parts: 3, headerPairs: 20 };

/** The one file of a form, as soon as it begins. `ended` rejects for what else the form has. */
async function openForm(request: IncomingMessage): Promise<{ file: Readable; kind: InputKind; ended: Promise<void> }> {
  const parser = createParser(request);
  const ended = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<{ file: Readable; kind: InputKind }>();
  let files = 0;
  const refuse = (problem: Problem) => {
    opened.reject(problem);
    ended.reject(problem);
    request.unpipe(parser);
    parser.destroy();
  };
  parser.on('file', (name, file, { filename, mimeType }) => {
    file.on('error', () => undefined);
    files += 1;
    const kind = kindOf(filename, mimeType);
    if (name !== 'file' || files > 1) refuse(invalidField(name, 'cannot be taken; send one file, as file'));
    else if (!kind) refuse(invalidField('file', 'is neither .csv, .jsonl nor .zip, by its type and by its name'));
    else opened.resolve({ file, kind });
  });
  parser.on('field', (name) => refuse(invalidField(name, 'is no file; options stand in the query')));
  parser.on('error', (error) => refuse(unfinished(error)));
  parser.on('close', () => {
    opened.reject(invalidField('file', 'is missing'));
    ended.resolve();
  });
  request.on('close', () => {
    if (!request.complete) refuse(unfinished(new Error('the client went away')));
  });
  // Whoever waits for the file hears of it; the end may fail long before anybody waits for that.
  ended.promise.catch(() => undefined);
  request.pipe(parser);
  return { ...(await opened.promise), ended: ended.promise };
}

function createParser(request: IncomingMessage) {
  try {
    return busboy({ headers: request.headers, limits: formLimits });
  } catch (error) {
    throw unfinished(error);
  }
}

function kindOf(filename: string | undefined, mimeType: string): InputKind | undefined {
  const ending = /\.(csv|jsonl|zip)$/i.exec(filename ?? '')?.[1]?.toLowerCase();
  const byType = Object.entries(inputTypes).find(([type]) => type === mimeType)?.[1];
  return byType ?? (ending as InputKind | undefined);
}
