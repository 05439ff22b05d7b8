import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TransientError } from './errors.ts';
import { sha256 } from './sha256.ts';
import { createStorage, type Storage } from './storage.ts';

let storage: Storage;

const options = {
  bucket: `b-${randomUUID()}`,
  region: process.env['S3_REGION'] ?? '',
  endpoint: process.env['S3_ENDPOINT'],
  accessKeyId: process.env['S3_ACCESS_KEY_ID'],
  secretAccessKey: process.env['S3_SECRET_ACCESS_KEY'],
};

beforeAll(async () => {
  storage = createStorage(options);
  await storage.createBucket();
});
afterAll(() => storage.close());

test('what is put can be read, looked up and removed', async () => {
  await storage.put('a/1', Buffer.from('hello'), 'text/plain');
  expect(Buffer.from((await storage.getBytes('a/1')) ?? []).toString()).toBe('hello');
  expect(await storage.head('a/1')).toMatchObject({ key: 'a/1', sizeBytes: 5 });
  await storage.remove(['a/1', 'a/never-there']);
  expect(await storage.head('a/1')).toBeNull();
});

test('an absent object is null, not an error', async () => {
  expect(await storage.getBytes('nothing')).toBeNull();
  expect(await storage.getStream('nothing')).toBeNull();
});

test('an object that was replaced is not read by whoever asks for the one before', async () => {
  await storage.put('replaced', Buffer.from('one'), 'text/plain');
  const { etag } = (await storage.head('replaced')) ?? {};
  const same = await storage.getStream('replaced', undefined, { etag });
  expect(await same?.body.toArray()).toEqual([Buffer.from('one')]);
  await storage.put('replaced', Buffer.from('two'), 'text/plain');
  const read = storage.getStream('replaced', undefined, { etag });
  await expect(read).rejects.toMatchObject({ name: 'PermanentError', code: 'image_changed' });
});

test('a URL that is signed for a client names the endpoint that clients reach, and takes the bytes', async () => {
  const order = { key: 'by/client', sizeBytes: 5, contentType: 'image/jpeg', expiresS: 60 };
  const { url, headers } = await storage.presignPut(order);
  expect(headers).toEqual({ 'content-type': 'image/jpeg', 'content-length': '5' });
  const answer = await fetch(url, { method: 'PUT', body: 'hello', headers: { 'content-type': 'image/jpeg' } });
  expect(answer.status).toBe(200);
  expect(await storage.head('by/client')).toMatchObject({ sizeBytes: 5 });
  const elsewhere = createStorage({ ...options, publicEndpoint: 'https://photos.example.com' });
  expect(new URL((await elsewhere.presignPut(order)).url).origin).toBe('https://photos.example.com');
  elsewhere.close();
});

interface Seen {
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** What a storage asks of its server, which takes everything. */
async function watchCalls(use: (watched: Storage) => Promise<unknown>): Promise<Seen[]> {
  const seen: Seen[] = [];
  const server = createHttpServer((request, response) => {
    seen.push({ method: request.method, headers: request.headers });
    request.resume().once('end', () => response.end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const watched = createStorage({ ...options, endpoint: `http://127.0.0.1:${port}` });
  try {
    await use(watched);
  } finally {
    watched.close();
    server.close();
  }
  return seen;
}

test('a hash that the caller has already is the one that is signed, so that the server refuses other bytes', async () => {
  const known = 'ab'.repeat(32);
  const seen = await watchCalls(async (watched) => {
    await watched.put('hashed/before', Buffer.from('hello'), 'text/plain', undefined, { sha256: known });
    await watched.put('hashed/here', Buffer.from('hello'), 'text/plain');
  });
  expect(seen.map(({ headers }) => headers['x-amz-content-sha256'])).toEqual([known, sha256('hello')]);
  expect(seen[0]?.headers.authorization).toContain('x-amz-content-sha256');
});

test('readiness asks the bucket only where no call was answered within the last seconds', async () => {
  const seen = await watchCalls(async (watched) => {
    expect([await watched.ready(), await watched.ready()]).toEqual([true, true]);
  });
  expect(seen.map(({ method }) => method)).toEqual(['HEAD']);
  const used = await watchCalls(async (watched) => {
    await watched.put('in/use', Buffer.from('hello'), 'text/plain');
    expect(await watched.ready()).toBe(true);
  });
  expect(used.map(({ method }) => method)).toEqual(['PUT']);
});

test('a stream of unknown length is stored whole', async () => {
  const size = 7 * 1024 * 1024;
  const chunks = Array.from({ length: 7 }, (_, i) => Buffer.alloc(1024 * 1024, i));
  await storage.putStream('big', Readable.from(chunks), 'application/octet-stream');
  const bytes = await storage.getBytes('big');
  expect(bytes?.byteLength).toBe(size);
  expect(bytes?.at(-1)).toBe(6);
});

test('a stream that breaks leaves nothing behind', async () => {
  const broken = Readable.from(
    (async function* () {
      yield await Promise.resolve(Buffer.alloc(1000));
      throw new Error('client went away');
    })(),
  );
  await expect(storage.putStream('half', broken, 'image/jpeg')).rejects.toThrow(TransientError);
  expect(await storage.head('half')).toBeNull();
});

test('listing gives every object, page by page', async () => {
  for (let n = 0; n < 5; n += 1) await storage.put(`page/${n}`, Buffer.from('x'), 'text/plain');
  const pages: string[][] = [];
  for await (const page of storage.list('page/', 2)) pages.push(page.map(({ key }) => key));
  expect(pages).toEqual([['page/0', 'page/1'], ['page/2', 'page/3'], ['page/4']]);
});

test('listing may begin after a key, and ends when it is aborted', async () => {
  for (let n = 0; n < 4; n += 1) await storage.put(`after/${n}`, Buffer.from('x'), 'text/plain');
  const pages: string[][] = [];
  for await (const page of storage.list('after/', 2, { after: 'after/1' })) pages.push(page.map(({ key }) => key));
  expect(pages).toEqual([['after/2', 'after/3']]);
  const off = new AbortController();
  const listing = storage.list('after/', 2, { signal: off.signal });
  await listing.next();
  off.abort(new Error('left'));
  await expect(listing.next()).rejects.toThrow('left');
});

test('a server that takes a call and never answers is a transient failure in time', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const hung = createStorage({ ...options, endpoint, timeoutMs: 50 });
  await expect(hung.getBytes('a')).rejects.toMatchObject({ code: 'storage_unavailable' });
  hung.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

test('sixty calls at once do not wait for each other’s connections', async () => {
  const sockets: Socket[] = [];
  const sixty = Promise.withResolvers<void>();
  const silent = createServer((socket) => {
    socket.on('error', () => undefined);
    if (sockets.push(socket) === 60) sixty.resolve();
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const crowded = createStorage({ ...options, endpoint });
  const off = new AbortController();
  const calls = Array.from({ length: 60 }, async (_, n) => await crowded.head(`a/${n}`, off.signal));
  const ends = Promise.allSettled(calls);
  await sixty.promise;
  off.abort();
  expect(new Set((await ends).map(({ status }) => status))).toEqual(new Set(['rejected']));
  crowded.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => silent.close(resolve));
});

test('an unreachable server is a transient failure with a code', async () => {
  const away = createStorage({ ...options, endpoint: 'http://127.0.0.1:9' });
  await expect(away.getBytes('a')).rejects.toMatchObject({ name: 'TransientError', code: 'storage_unavailable' });
  await expect(away.ready()).rejects.toThrow(/ECONNREFUSED/);
  away.close();
});
