import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import busboy, { type Busboy } from 'busboy';
import type { Storage } from '@bunri/runtime';
import { imageTooLarge, inspectImage, type ImageFacts } from './image-bytes.ts';
import { Problem, invalidField } from './problem.ts';

export const maxImageBytes = 10 * 2 ** 20;
/** What a form has beside its photo: boundaries, part headers and a few short fields. */
const maxFormOverheadBytes = 64 * 2 ** 10;
/** How long a client whose form was refused may go on sending before it is cut off; it might not read the answer earlier. */
const lingerMs = 10_000;

const limits = { fields: 10, fieldSize: 8 * 2 ** 10, files: 2, parts: 12, headerPairs: 20 };

export interface StoredUpload extends ImageFacts {
  readonly key: string;
}

export interface ReceivedForm {
  readonly fields: Record<string, string>;
  readonly image: StoredUpload;
}

/**
 * Streams the form's photo into the bucket under `key`, never holding more of it than one part of a multipart upload.
 * The fields may stand before or after it. Whatever goes wrong, a client that goes away included, leaves no object.
 * `beforePhoto` gets the fields that came before the photo; no byte of it is taken until it resolves, and none if it rejects.
 *
 * @throws Problem for what the client sent, what `beforePhoto` throws, TransientError `storage_unavailable` for the bucket.
 */
export async function receiveForm(
  request: IncomingMessage,
  {
    storage,
    key,
    beforePhoto = async () => await Promise.resolve(),
  }: { storage: Storage; key: string; beforePhoto?: (fields: Record<string, string>) => Promise<void> },
): Promise<ReceivedForm> {
  if (Number(request.headers['content-length'] ?? 0) > maxImageBytes + maxFormOverheadBytes) {
    throw imageTooLarge(maxImageBytes);
  }
  const parser = createParser(request);
  const form = readForm(request, parser, async (file, fields) => {
    await beforePhoto(fields);
    return await storeImage(file, { storage, key });
  });
  try {
    await form.ended;
    const image = await form.stored();
    if (!image) throw invalidField('image', 'is missing; send the photo as a file of this name');
    return { fields: form.fields, image };
  } catch (error) {
    request.unpipe(parser);
    // Also ends the file's stream, and with it an upload to the bucket that is under way.
    parser.destroy();
    const wasStored = await form.stored().catch(() => undefined);
    if (wasStored) await storage.remove([key]);
    throw error;
  }
}

function createParser(request: IncomingMessage): Busboy {
  try {
    return busboy({ headers: request.headers, limits });
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(cause?: unknown): Problem {
  return new Problem('invalid_request', 'The form is not well-formed multipart/form-data (RFC 7578).', { cause });
}

interface FormReading {
  readonly fields: Record<string, string>;
  /** Resolves at the end of the form, and rejects at the first thing that is wrong. */
  readonly ended: Promise<void>;
  /** The upload of the photo; undefined while the form has shown none. */
  stored(): Promise<StoredUpload | undefined>;
}

function readForm(
  request: IncomingMessage,
  parser: Busboy,
  store: (file: Readable, fieldsBefore: Record<string, string>) => Promise<StoredUpload>,
): FormReading {
  const fields: Record<string, string> = {};
  let stored: Promise<StoredUpload> | undefined;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();

  parser.on('file', (name, file) => {
    // The parser ends an unfinished file with an error, which may come before anybody reads the file.
    file.on('error', () => undefined);
    if (name !== 'image' || stored) {
      file.resume();
      reject(invalidField(name, stored ? 'is sent twice; send one photo' : 'is a file, and only image may be one'));
      return;
    }
    stored = store(file, { ...fields });
    stored.catch(reject);
  });
  parser.on('field', (name, value, { valueTruncated }) => {
    if (valueTruncated) reject(invalidField(name, 'is too long'));
    else if (Object.hasOwn(fields, name)) reject(invalidField(name, 'is sent twice'));
    else fields[name] = value;
  });
  for (const limit of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) {
    parser.on(limit, () => reject(new Problem('invalid_request', 'The form has too many parts.')));
  }
  parser.on('error', (error) => reject(malformed(error)));
  parser.on('close', () => resolve());
  request.on('close', () => {
    if (!request.complete) reject(malformed(new Error('the client went away')));
  });
  request.pipe(parser);
  return { fields, ended, stored: async () => await stored };
}

async function storeImage(file: Readable, { storage, key }: { storage: Storage; key: string }): Promise<StoredUpload> {
  const inspection = inspectImage(maxImageBytes);
  let facts: ImageFacts | undefined;
  let broken: unknown;
  async function* inspected(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of file as AsyncIterable<Uint8Array>) {
        inspection.take(chunk);
        yield chunk;
      }
      facts = inspection.end();
    } catch (error) {
      broken = error;
      throw error;
    }
  }
  try {
    // What the bytes really are is found out by decoding; until then nobody is told a type.
    await storage.putStream(key, Readable.from(inspected()), 'application/octet-stream');
  } catch (error) {
    // The bucket reports its own failure for a stream that broke: the stream's reason comes first.
    throw broken ?? error;
  }
  if (!facts) throw new Error('the upload was stored before it had been read to its end');
  return { key, ...facts };
}

/** Cuts off a client that keeps sending a body after its refusal. Node reads and drops what comes until then. */
export function lingerThenClose(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    if (request.complete || request.destroyed) return;
    const timer = setTimeout(() => request.destroy(), lingerMs);
    timer.unref();
    request.once('close', () => clearTimeout(timer));
  });
}
