import { addAbortSignal, type Readable } from 'node:stream';
import { stages, type ImageSource, type StageOutput } from '@bunri/queue-contracts';
import {
  imageChanged,
  objectKeys,
  PermanentError,
  releaseBytes,
  sha256,
  TransientError,
  type Handler,
  type ResultCache,
  type Storage,
} from '@bunri/runtime';
import type { FetchImage } from './fetch-image.ts';
import { imageLimits } from './image-limits.ts';
import type { Normalise } from './normalise.ts';

export interface PreprocessDeps {
  readonly storage: Pick<Storage, 'getStream' | 'head' | 'put' | 'putStream'>;
  readonly cache: Pick<ResultCache, 'get' | 'set'>;
  readonly fetchImage: FetchImage;
  readonly normalise: Normalise;
  /** How long the scheduler leaves an object in the bucket. */
  readonly retentionMs: number;
  readonly now?: () => number;
}

type Output = StageOutput<'preprocess'>;

const cacheName = 'image';
/** Raised with every change of how pictures are normalised, so that nothing of another way is reused. */
const normaliseVersion = '2';
/** An object that is about to be deleted is stored again: the stages after this one need it for up to a day. */
const freshMarginMs = 24 * 3600 * 1000;

/**
 * From an upload or a URL to the normalised picture in the bucket, named by the hash of its bytes: whatever file it came
 * in, the same picture is stored, and later paid for, once.
 */
export function makeHandler(deps: PreprocessDeps): Handler<'preprocess'> {
  const { storage, cache, normalise, retentionMs, now = Date.now } = deps;

  async function isFresh(key: string, signal: AbortSignal): Promise<boolean> {
    const object = await storage.head(key, signal);
    return object !== null && now() - object.lastModifiedMs < retentionMs - freshMarginMs;
  }

  /** What became of the same file before, if its picture is still there. */
  async function recall(fileSha256: string, signal: AbortSignal): Promise<Output | null> {
    const known = await cache.get(cacheName, `${normaliseVersion}:${fileSha256}`, stages.preprocess.output);
    return known && (await isFresh(known.key, signal)) ? known : null;
  }

  return async ({ request }, { log, signal }) => {
    const { source } = request;
    const announced = source.kind === 'upload' ? await recall(source.sha256, signal) : null;
    if (announced) return { output: announced, cached: true };

    const key = await uploadKey(deps, request.id, source, signal);
    const file = await readUpload(storage, key, signal, source.kind === 'url' ? undefined : source.etag);
    const fileSha256 = sha256(file);
    if (source.kind === 'upload' && fileSha256 !== source.sha256) {
      // Its client said which bytes it would put; not every server holds it to that.
      if (source.etag !== undefined) throw imageChanged();
      log.warn('the upload is not the file that was accepted', { accepted: source.sha256, found: fileSha256 });
    }
    const known = source.kind === 'upload' ? null : await recall(fileSha256, signal);
    if (known) return { output: known, cached: true };

    const { bytes, width, height } = await normalise(file, signal);
    releaseBytes(file);
    const hash = sha256(bytes);
    const output: Output = { sha256: hash, key: objectKeys.image(hash), width, height, sizeBytes: bytes.length };
    // Without a look whether it is there: it seldom is, and the same bytes under the same key do no harm.
    await storage.put(output.key, bytes, 'image/jpeg', signal, { sha256: hash });
    void cache.set(cacheName, `${normaliseVersion}:${fileSha256}`, output, { image: hash });
    return { output, cached: false };
  };
}

/** Where the file is; a URL's is brought there first. */
async function uploadKey(
  { storage, fetchImage }: PreprocessDeps,
  requestId: string,
  source: ImageSource,
  signal: AbortSignal,
): Promise<string> {
  if (source.kind !== 'url') return source.key;
  const key = objectKeys.upload(requestId);
  const body = await fetchImage(source.url, signal);
  try {
    // The type that a stranger's server claims is not passed on.
    await storage.putStream(key, body, 'application/octet-stream');
  } catch (error) {
    // The storage only sees that its input broke off; the stream knows why.
    throw body.errored ?? error;
  } finally {
    body.destroy();
  }
  return key;
}

/** The whole file: a decoder fed from a stream would collect it too, and hold it twice while it does. */
async function readUpload(
  storage: PreprocessDeps['storage'],
  key: string,
  signal: AbortSignal,
  etag: string | undefined,
): Promise<Buffer> {
  const upload = await storage.getStream(key, signal, { etag });
  if (upload === null) throw new PermanentError('image_missing', 'The uploaded image is gone. Upload it again.');
  const { body, sizeBytes } = upload;
  if (sizeBytes > imageLimits.maxBytes) {
    body.destroy();
    throw new PermanentError('image_too_large', 'The image is larger than 10 MiB. Send a smaller one.');
  }
  try {
    return await readExactly(addAbortSignal(signal, body), sizeBytes);
  } catch (error) {
    signal.throwIfAborted();
    throw new TransientError('storage_unavailable', 'the object storage broke off; try again later', { cause: error });
  }
}

async function readExactly(body: Readable, sizeBytes: number): Promise<Buffer> {
  const file = Buffer.allocUnsafeSlow(sizeBytes);
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (length + chunk.length > sizeBytes) throw new Error('the object is longer than announced');
    file.set(chunk, length);
    length += chunk.length;
  }
  if (length < sizeBytes) throw new Error('the object is shorter than announced');
  return file;
}
