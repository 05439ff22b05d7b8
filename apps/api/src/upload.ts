import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import busboy, { type Busboy } from 'busboy';
import { imageTooLarge } from './image-bytes.ts';
import { maxImageBytes, takePhoto, type Target, type Upload } from './photo.ts';
import { Problem, invalidField } from './problem.ts';

/** What a form has beside its photo: boundaries, part headers and a few short fields. */
const maxFormOverheadBytes = 64 * 2 ** 10;
/** How long a client whose form was refused may go on sending before it is cut off; it might not read the answer earlier. */
const lingerMs = 10_000;

const limits = { fields: 16, fieldSize: 32 * 2 ** 10, files: 2, parts: 18, headerPairs: 20 };
/** Fields that may be sent several times: a list, as if it had been sent once with commas. */
const listFields = ['models'];

export interface ReceivedForm {
  readonly fields: Record<string, string>;
  /** Null in a form that names an upload of before. */
  readonly upload: Upload | null;
}

/**
 * Reads the form, its photo as `takePhoto` does.
 * The fields may stand before or after it. Whatever goes wrong, a client that goes away included, leaves no object.
 * `beforePhoto` gets the fields that came before the photo; no byte of it is taken until it resolves, and none if it rejects.
 *
 * @throws Problem for what the client sent, and what `beforePhoto` and `takePhoto` throw; then no memory is held for it.
 */
export async function receiveForm(
  request: IncomingMessage,
  {
    beforePhoto = async () => await Promise.resolve(),
    ...target
  }: Target & { readonly beforePhoto?: (fields: Record<string, string>) => Promise<void> },
): Promise<ReceivedForm> {
  const { 'content-length': length } = request.headers;
  const toldBytes = length === undefined ? null : Number(length);
  if (toldBytes !== null && toldBytes > maxImageBytes + maxFormOverheadBytes) throw imageTooLarge(maxImageBytes);
  const parser = createParser(request);
  const form = readForm(request, parser, async (file, fields) => {
    await beforePhoto(fields);
    return await takePhoto(file, toldBytes, target);
  });
  try {
    await form.ended;
    const upload = await form.upload();
    const named = form.fields['upload_id'] !== undefined;
    if (!upload && !named) throw invalidField('image', 'is missing; send the photo as a file of this name');
    if (upload && named) throw invalidField('upload_id', 'is given beside an image; send one of them');
    return { fields: form.fields, upload: upload ?? null };
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
    else if (Object.hasOwn(fields, name) && listFields.includes(name)) fields[name] += `,${value}`;
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

/** Reads and drops the rest of a body after its refusal, and cuts off a client that goes on for too long. */
export function lingerThenClose(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    if (request.complete || request.destroyed) return;
    // Node does it by itself only where nobody has begun to read. A form's parser that is full would stop it.
    request.unpipe();
    request.resume();
    const timer = setTimeout(() => request.destroy(), lingerMs);
    timer.unref();
    request.once('close', () => clearTimeout(timer));
  });
}
