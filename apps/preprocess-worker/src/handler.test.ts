import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ImageSource, StageInput } from '@bunri/queue-contracts';
import {
  closeRedis,
  connectConsumer,
  createLogger,
  createResultCache,
  createStorage,
  newRequestId,
  objectKeys,
  sha256,
  type HandlerContext,
} from '@bunri/runtime';
import { drawSamplePhoto, truncatedJpeg } from '@bunri/testkit';
import { createImageFetcher } from './fetch-image.ts';
import { makeHandler, type PreprocessDeps } from './handler.ts';
import { createNormaliser } from './normalise.ts';

const dayMs = 24 * 3600 * 1000;
const retentionMs = 30 * dayMs;
const log = createLogger({ app: 'test', level: 'error', silent: true });
const redis = connectConsumer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
const storage = createStorage({
  bucket: `photos-${newRequestId().slice(-12)}`,
  region: process.env['S3_REGION'] ?? '',
  endpoint: process.env['S3_ENDPOINT'],
  accessKeyId: process.env['S3_ACCESS_KEY_ID'],
  secretAccessKey: process.env['S3_SECRET_ACCESS_KEY'],
});
const cache = createResultCache({ redis, prefix: `{${newRequestId()}}` });
const normalise = createNormaliser({ decodeMemoryBytes: 256 * 2 ** 20 });
const fetchImage = createImageFetcher({
  maxBytes: 100_000,
  timeoutMs: 60_000,
  allowHttp: true,
  ports: 'any',
  allowAddresses: ['127.0.0.1'],
});

beforeAll(async () => await storage.createBucket());
afterAll(async () => {
  storage.close();
  await closeRedis(redis);
});

function context(signal = new AbortController().signal): HandlerContext {
  return { log, signal, jobId: 'job', onAnswer: () => undefined, lastAttempt: false };
}

function input(source: ImageSource): StageInput<'preprocess'> {
  const at = Date.now();
  const times = { createdAt: at, deadlineAt: at + 60_000 };
  const asked = { owner: 'test', question: '', locale: 'ko' as const, priority: 'interactive' as const };
  return { request: { id: newRequestId(), ...asked, source, ...times } };
}

async function upload(file: Buffer): Promise<ImageSource> {
  const key = objectKeys.upload(newRequestId());
  await storage.putStream(key, Readable.from([file], { objectMode: false }), 'application/octet-stream');
  return { kind: 'upload', key, sha256: sha256(file), sizeBytes: file.length };
}

function handler(overrides: Partial<PreprocessDeps> = {}) {
  return makeHandler({ storage, cache, fetchImage, normalise, retentionMs, ...overrides });
}

const neverNormalise = async () => await Promise.reject(new Error('the picture was decoded again'));

test('the picture is stored under the hash of its bytes', async () => {
  const { output, cached } = await handler()(input(await upload(await drawSamplePhoto({ seed: 11 }))), context());
  const stored = await storage.getBytes(output.key);
  expect(cached).toBe(false);
  expect(output).toMatchObject({ width: 800, height: 600, sizeBytes: stored?.length });
  expect(output.key).toBe(`images/${output.sha256}.jpg`);
  expect(sha256(stored ?? '')).toBe(output.sha256);
});

test('a file that was seen before is neither read nor decoded again', async () => {
  const source = await upload(await drawSamplePhoto({ seed: 12 }));
  const first = await handler()(input(source), context());
  const again = { ...source, key: 'uploads/never-read' };
  const second = await handler({ normalise: neverNormalise })(input(again), context());
  expect(second).toEqual({ output: first.output, cached: true });
});

test('a known picture that was deleted is stored again', async () => {
  const source = await upload(await drawSamplePhoto({ seed: 13 }));
  const first = await handler()(input(source), context());
  await storage.remove([first.output.key]);
  const second = await handler()(input(source), context());
  expect(second).toEqual({ output: first.output, cached: false });
  expect(await storage.head(first.output.key)).not.toBeNull();
});

test('a known picture that is deleted within a day is stored again', async () => {
  const source = await upload(await drawSamplePhoto({ seed: 14 }));
  const { output } = await handler()(input(source), context());
  const puts: string[] = [];
  const watched = {
    ...storage,
    put: async (key: string) => {
      puts.push(key);
      await Promise.resolve();
    },
  };
  const at = (ms: number) => handler({ storage: watched, now: () => Date.now() + ms });
  expect((await at(retentionMs - dayMs - 60_000)(input(source), context())).cached).toBe(true);
  expect((await at(retentionMs - dayMs)(input(source), context())).cached).toBe(false);
  expect(puts).toEqual([output.key]);
});

test('an upload that is gone ends the request', async () => {
  const source: ImageSource = { kind: 'upload', key: 'uploads/none', sha256: sha256('none'), sizeBytes: 1 };
  await expect(handler()(input(source), context())).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'image_missing',
  });
});

test('an upload of more than 10 MiB is refused before it is read', async () => {
  const body = new Readable({ read: () => expect(true).toBe(false) });
  const large = { ...storage, getStream: async () => await Promise.resolve({ body, sizeBytes: 10 * 2 ** 20 + 1 }) };
  const source: ImageSource = { kind: 'upload', key: 'uploads/large', sha256: sha256('large'), sizeBytes: 1 };
  const run = handler({ storage: large })(input(source), context());
  await expect(run).rejects.toMatchObject({ name: 'PermanentError', code: 'image_too_large' });
  expect(body.destroyed).toBe(true);
});

test.each([
  ['breaks off', () => Promise.reject(new Error('socket hang up'))],
  ['ends early', () => Promise.resolve()],
])('a storage that %s is asked again', async (_what, end) => {
  const body = Readable.from(
    (async function* half() {
      yield Buffer.from('half');
      await end();
    })(),
  );
  const broken = { ...storage, getStream: async () => await Promise.resolve({ body, sizeBytes: 8 }) };
  const source: ImageSource = { kind: 'upload', key: 'uploads/broken', sha256: sha256('broken'), sizeBytes: 8 };
  const run = handler({ storage: broken })(input(source), context());
  await expect(run).rejects.toMatchObject({ name: 'TransientError', code: 'storage_unavailable' });
});

test('an abort ends the reading of an upload with its own reason', async () => {
  const abort = new AbortController();
  const reason = new Error('stage aborted');
  const body = new Readable({ read: () => abort.abort(reason) });
  const slow = { ...storage, getStream: async () => await Promise.resolve({ body, sizeBytes: 8 }) };
  const source: ImageSource = { kind: 'upload', key: 'uploads/slow', sha256: sha256('slow'), sizeBytes: 8 };
  await expect(handler({ storage: slow })(input(source), context(abort.signal))).rejects.toBe(reason);
});

test('bytes that were put in the place of the accepted ones do not answer for them', async () => {
  const [accepted, other] = [await drawSamplePhoto({ seed: 15 }), await drawSamplePhoto({ seed: 16 })];
  const replaced: ImageSource = { ...(await upload(other)), sha256: sha256(accepted) } as ImageSource;
  const wrong = await handler()(input(replaced), context());
  const right = await handler()(input(await upload(accepted)), context());
  expect(right.output.sha256).not.toBe(wrong.output.sha256);
});

test('a file that cannot be decoded is refused again when it comes again', async () => {
  const source = await upload(await truncatedJpeg());
  const refused = { name: 'PermanentError', code: 'image_undecodable' };
  await expect(handler()(input(source), context())).rejects.toMatchObject(refused);
  await expect(handler()(input(source), context())).rejects.toMatchObject(refused);
});

test('a URL is fetched into the bucket and joins the way of the uploads', async () => {
  const photo = await drawSamplePhoto({ seed: 17 });
  const served = createServer((request, response) => {
    response.end(request.url === '/large' ? Buffer.alloc(100_001) : photo);
  });
  await new Promise<void>((resolve) => served.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(served.address() as AddressInfo).port}`;
  try {
    const work = input({ kind: 'url', url: `${url}/photo` });
    const first = await handler()(work, context());
    expect(await storage.getBytes(objectKeys.upload(work.request.id))).toEqual(new Uint8Array(photo));
    const second = await handler({ normalise: neverNormalise })(input({ kind: 'url', url }), context());
    expect(second).toEqual({ output: first.output, cached: true });
    const uploaded = await handler({ normalise: neverNormalise })(input(await upload(photo)), context());
    expect(uploaded.output).toEqual(first.output);

    const large = input({ kind: 'url', url: `${url}/large` });
    await expect(handler()(large, context())).rejects.toMatchObject({ code: 'image_too_large' });
    expect(await storage.head(objectKeys.upload(large.request.id))).toBeNull();
  } finally {
    served.closeAllConnections();
    await new Promise((resolve) => served.close(resolve));
  }
});

describe('an object that its client put itself', () => {
  async function put(file: Buffer, key = objectKeys.upload(newRequestId())) {
    await storage.put(key, file, 'image/jpeg');
    const { etag = '' } = (await storage.head(key)) ?? {};
    return { key, sizeBytes: file.length, etag };
  }
  const changed = { name: 'PermanentError', code: 'image_changed' };

  test('is read as it was when it was accepted, with and without its hash', async () => {
    const photo = await drawSamplePhoto({ seed: 21 });
    const first = await handler()(input({ kind: 'object', ...(await put(photo)) }), context());
    const known = handler({ normalise: neverNormalise });
    const again = await known(input({ kind: 'object', ...(await put(photo)) }), context());
    expect(again).toEqual({ output: first.output, cached: true });
    const other = await drawSamplePhoto({ seed: 22 });
    const announced: ImageSource = { kind: 'upload', sha256: sha256(other), ...(await put(other)) };
    expect((await handler()(input(announced), context())).cached).toBe(false);
  });

  test('is refused where another one stands in its place', async () => {
    const accepted = await put(await drawSamplePhoto({ seed: 23 }));
    await put(await drawSamplePhoto({ seed: 24 }), accepted.key);
    await expect(handler()(input({ kind: 'object', ...accepted }), context())).rejects.toMatchObject(changed);
    const announced: ImageSource = { kind: 'upload', sha256: sha256('anything'), ...accepted };
    await expect(handler()(input(announced), context())).rejects.toMatchObject(changed);
  });

  test('is refused where it has not the hash that was announced, and answers for nobody', async () => {
    const [photo, other] = [await drawSamplePhoto({ seed: 25 }), await drawSamplePhoto({ seed: 26 })];
    const source: ImageSource = { kind: 'upload', sha256: sha256(other), ...(await put(photo)) };
    await expect(handler()(input(source), context())).rejects.toMatchObject(changed);
    expect((await handler()(input(await upload(other)), context())).cached).toBe(false);
  });
});
