import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import busboy, { type Busboy } from 'busboy';
import type { Storage } from '@bunri/runtime';
import { imageTooLarge, inspectImage, type ImageFacts, type Inspection } from './image-bytes.ts';
import { Problem, invalidField } from './problem.ts';

export const maxImageBytes = 10 * 2 ** 20;
/** What a form has beside its photo: boundaries, part headers and a few short fields. */
const maxFormOverheadBytes = 64 * 2 ** 10;
/** How long a client whose form was refused may go on sending before it is cut off; it might not read the answer earlier. */
const lingerMs = 10_000;

/** What the bytes really are is found out by decoding; until then nobody is told a type. */
const untoldType = 'application/octet-stream';
/** A photo up to this size is held until it is known whether it is needed: as much as one part of a multipart upload. */
const mostHeldBytes = 5 * 2 ** 20;

const limits = { fields: 10, fieldSize: 8 * 2 ** 10, files: 2, parts: 12, headerPairs: 20 };

/** A photo that has been read to its end. */
export interface Upload {
  readonly facts: ImageFacts;
  /** Brings it into the bucket, unless it is there. @throws TransientError `storage_unavailable`; then nothing is left there. */
  readonly store: () => Promise<void>;
  /** Removes it from the bucket, if it is there. */
  readonly remove: () => Promise<void>;
}

export interface ReceivedForm {
  readonly fields: Record<string, string>;
  readonly upload: Upload;
}

/**
 * Reads the form. Its photo is held in memory up to the size of one part of a multipart upload; a larger one is streamed
 * into the bucket under `key`, and never more of it held than that.
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
    return await takePhoto(file, { storage, key });
  });
  try {
    await form.ended;
    const upload = await form.upload();
    if (!upload) throw invalidField('image', 'is missing; send the photo as a file of this name');
    return { fields: form.fields, upload };
  } catch (error) {
    request.unpipe(parser);
    // Also ends the file's stream, and with it an upload to the bucket that is under way.
    parser.destroy();
    const upload = await form.upload().catch(() => undefined);
    await upload?.remove();
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
  /** The photo; undefined while the form has shown none. */
  upload(): Promise<Upload | undefined>;
}

function readForm(
  request: IncomingMessage,
  parser: Busboy,
  take: (file: Readable, fieldsBefore: Record<string, string>) => Promise<Upload>,
): FormReading {
  const fields: Record<string, string> = {};
  let upload: Promise<Upload> | undefined;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();

  parser.on('file', (name, file) => {
    // The parser ends an unfinished file with an error, which may come before anybody reads the file.
    file.on('error', () => undefined);
    if (name !== 'image' || upload) {
      file.resume();
      reject(invalidField(name, upload ? 'is sent twice; send one photo' : 'is a file, and only image may be one'));
      return;
    }
    upload = take(file, { ...fields });
    upload.catch(reject);
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
  return { fields, ended, upload: async () => await upload };
}

interface Target {
  readonly storage: Storage;
  readonly key: string;
}

async function takePhoto(file: Readable, target: Target): Promise<Upload> {
  const inspection = inspectImage(maxImageBytes);
  const chunks = inspected(file, inspection);
  const held: Uint8Array[] = [];
  let heldBytes = 0;
  while (heldBytes <= mostHeldBytes) {
    const next = await chunks.next();
    if (next.done) return heldUpload(Buffer.concat(held), inspection.end(), target);
    held.push(next.value);
    heldBytes += next.value.byteLength;
  }
  return await streamPhoto(held, chunks, inspection, target);
}

async function* inspected(file: Readable, inspection: Inspection): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of file as AsyncIterable<Uint8Array>) {
    inspection.take(chunk);
    yield chunk;
  }
}

function heldUpload(bytes: Uint8Array, facts: ImageFacts, { storage, key }: Target): Upload {
  let stored = false;
  return {
    facts,
    async store() {
      await storage.put(key, bytes, untoldType);
      stored = true;
    },
    async remove() {
      if (stored) await storage.remove([key]);
    },
  };
}

async function streamPhoto(
  held: Uint8Array[],
  chunks: AsyncGenerator<Uint8Array, void>,
  inspection: Inspection,
  { storage, key }: Target,
): Promise<Upload> {
  let facts: ImageFacts | undefined;
  let broken: unknown;
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield* held.splice(0);
      yield* chunks;
      facts = inspection.end();
    } catch (error) {
      broken = error;
      throw error;
    }
  }
  try {
    await storage.putStream(key, Readable.from(all()), untoldType);
  } catch (error) {
    // The bucket reports its own failure for a stream that broke: the stream's reason comes first.
    throw broken ?? error;
  }
  if (!facts) throw new Error('the upload was stored before it had been read to its end');
  return {
    facts,
    store: async () => await Promise.resolve(),
    remove: async () => await storage.remove([key]),
  };
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
