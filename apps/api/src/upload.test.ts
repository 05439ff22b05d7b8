import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  animatedGif,
  animatedWebP,
  drawSamplePhoto,
  jpegWithExifOrientationAndGps,
  svgFile,
  textNamedJpg,
  until,
} from '@bunri/testkit';
import { TransientError } from '@bunri/runtime';
import { createByteBudget } from './byte-budget.ts';
import { maxImageBytes, photoBudgetBytes } from './photo.ts';
import type { ProblemDocument } from './problem.ts';
import { form, startTestApi, type TestApi } from './test-api.ts';
import { bearer } from './test-keys.ts';
import { receiveForm } from './upload.ts';

let api: TestApi;
let photo: Buffer;
beforeAll(async () => {
  api = await startTestApi();
  photo = await drawSamplePhoto();
});
afterEach(async () => {
  await until(() => api.photoBudget.takenBytes === 0);
});
afterAll(async () => {
  await api.close();
});

const post = async (body: FormData) => await api.fetch('/v1/classifications', { method: 'POST', body });

/** Bytes that begin like a JPEG. */
function jpegOf(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes, 7);
  bytes.set([0xff, 0xd8, 0xff, 0xe0]);
  return bytes;
}

describe('a hostile upload gets its own problem and leaves nothing behind', () => {
  const hostile: [string, () => Promise<Uint8Array> | Uint8Array, number, string][] = [
    ['11 MB', () => jpegOf(11_000_000), 413, 'image_too_large'],
    ['one byte too many', () => jpegOf(maxImageBytes + 1), 413, 'image_too_large'],
    ['no bytes', () => new Uint8Array(), 400, 'image_empty'],
    ['three bytes', () => Uint8Array.of(1, 2, 3), 415, 'image_type_unsupported'],
    ['an SVG', svgFile, 415, 'image_type_unsupported'],
    ['text named .jpg', textNamedJpg, 415, 'image_type_unsupported'],
    ['an animated GIF', animatedGif, 415, 'image_type_unsupported'],
    ['an animated WebP', animatedWebP, 422, 'image_animated'],
  ];
  test.each(hostile)('%s', async (_name, make, status, code) => {
    const answer = await post(form(await make()));
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(await answer.json()).toMatchObject({ code, type: `urn:bunri:problem:${code}`, status });
    expect(await api.objects()).toEqual([]);
  });

  const malformed: [string, () => FormData, string][] = [
    ['no image', () => form(null, { question: '?' }), 'image'],
    ['two images', () => twoImages(), 'image'],
    ['a file of another name', () => otherFile(), 'attachment'],
    ['an unknown field', () => form(photo, { colour: 'red' }, 'last'), 'colour'],
    ['a question of 1,001 characters', () => form(photo, { question: 'a'.repeat(1001) }), 'question'],
    ['a field without end', () => form(photo, { question: 'a'.repeat(20_000) }), 'question'],
    ['an unknown locale', () => form(photo, { locale: 'fr' }), 'locale'],
    ['a deadline of 11 minutes', () => form(photo, { deadline: '660' }), 'deadline'],
  ];
  test.each(malformed)('%s', async (_name, make, field) => {
    const answer = await post(make());
    expect(answer.status).toBe(400);
    const problem = (await answer.json()) as ProblemDocument;
    expect(problem).toMatchObject({ code: 'invalid_request' });
    expect(problem.errors?.map((error) => error.field)).toEqual([field]);
    expect(await api.objects()).toEqual([]);
  });

  const twoImages = () => {
    const data = form(photo);
    data.append('image', new Blob([new Uint8Array(photo)]), 'again.jpg');
    return data;
  };
  const otherFile = () => {
    const data = new FormData();
    data.append('attachment', new Blob(['x']), 'x.jpg');
    return data;
  };

  test.each(['multipart/form-data', 'multipart/form-data; boundary=x'])('a body that is no %s', async (type) => {
    const answer = await api.fetch('/v1/classifications', {
      method: 'POST',
      headers: { 'content-type': type },
      body: 'nothing of the kind',
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'invalid_request' });
  });
});

test.each(['first', 'last'] as const)('fields are read when the photo stands %s', async (order) => {
  const answer = await post(form(photo, { question: 'Where does it go?', locale: 'en' }, order));
  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ question: 'Where does it go?', locale: 'en', status: 'queued' });
});

test('the bytes in the bucket are those that were sent, and their hash is in the record', async () => {
  const sent = await jpegWithExifOrientationAndGps();
  const { id } = (await (await post(form(sent))).json()) as { id: string };
  const stored = await api.storage.getBytes(`uploads/${id}`);
  expect(Buffer.from(stored ?? []).equals(sent)).toBe(true);
  const hash = createHash('sha256').update(sent).digest('hex');
  const record = await api.records.get(id);
  expect(record?.request.source).toEqual({
    kind: 'upload',
    key: `uploads/${id}`,
    sha256: hash,
    sizeBytes: sent.byteLength,
  });
});

test('a photo of exactly the limit is accepted, without its length being told first', async () => {
  const request = openForm('ann');
  const answered = new Promise<IncomingMessage>((resolve) => request.once('response', resolve));
  request.end(Buffer.concat([jpegOf(maxImageBytes), Buffer.from(`\r\n--${boundary}--\r\n`)]));
  const answer = await answered;
  answer.resume();
  expect(answer.statusCode).toBe(202);
});

test('while the bucket takes nothing, no more than one part of a photo is read from the client', async () => {
  const client = new PassThrough();
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  const request = Object.assign(client, { headers, complete: false }) as unknown as IncomingMessage;
  const bucketFails = Promise.withResolvers<void>();
  const storage = { ...api.storage, putStream: async () => await bucketFails.promise };
  const received = receiveForm(request, {
    storage,
    key: 'uploads/x',
    budget: createByteBudget(photoBudgetBytes).of('ann'),
  });
  client.write(formHead);
  const piece = jpegOf(64 * 2 ** 10);
  let sentBytes = 0;
  while (client.write(piece)) {
    sentBytes += piece.byteLength;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sentBytes).toBeLessThan(5.5 * 2 ** 20);
  bucketFails.reject(new TransientError('storage_unavailable', 'the bucket is away'));
  await expect(received).rejects.toMatchObject({ code: 'storage_unavailable' });
  client.destroy();
});

test('a client that reads no answer before it has sent all gets its refusal, on a connection that can be used again', async () => {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  const told: string[] = [];
  socket.setEncoding('utf8').on('data', (text: string) => told.push(text));
  socket.pause();
  // Its first bytes tell that it is no picture.
  const body = Buffer.concat([Buffer.from(formHead), Buffer.alloc(8_000_000), Buffer.from(`\r\n--${boundary}--\r\n`)]);
  const headers = { ...bearer('ann'), host: hostname, 'content-type': `multipart/form-data; boundary=${boundary}` };
  const lines = Object.entries({ ...headers, 'content-length': body.byteLength }).map(([name, is]) => `${name}: ${is}`);
  socket.write(`POST /v1/classifications HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.write(body, () => resolve());
  });
  socket.resume();
  await until(() => told.join('').includes('image_type_unsupported'));
  expect(told.join('')).toMatch(/^HTTP\/1.1 415 /);
  socket.write(`GET /healthz HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  await until(() => told.join('').includes('HTTP/1.1 200 '));
  socket.destroy();
});

test('a client that goes away in the middle leaves no object and no record', async () => {
  const before = await api.objects();
  const accepted = await api.redis.zcard(api.records.keys.owner('bob'));
  const request = openForm('bob');
  request.write(jpegOf(6 * 2 ** 20));
  const closed = new Promise((resolve) => request.once('close', resolve));
  setImmediate(() => request.destroy());
  await closed;
  await until(async () => {
    const log = await api.metrics.registry.getSingleMetricAsString('bunri_http_request_duration_seconds');
    return log.includes('method="POST",route="/v1/classifications",status="400"');
  });
  expect(await api.objects()).toEqual(before);
  expect(await api.redis.zcard(api.records.keys.owner('bob'))).toBe(accepted);
});

test('a photo that does not fit into memory with those on their way is refused before it is sent, and fits after them', async () => {
  const small = await startTestApi({ photoBudgetBytes: 2 ** 20 });
  const headers = { 'content-length': String(2 ** 20) };
  const first = openForm('ann', { of: small, headers });
  first.write(jpegOf(1_000));
  await until(() => small.photoBudget.takenBytes > 0);
  const second = openForm('bob', { of: small, headers });
  second.write(jpegOf(1_000));
  const answer = await new Promise<IncomingMessage>((resolve) => second.once('response', resolve));
  expect(answer.statusCode).toBe(503);
  expect(answer.headers['retry-after']).toBe('5');
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
  expect(JSON.parse(text)).toMatchObject({
    code: 'service_unavailable',
    detail: expect.stringContaining('again in 5 s'),
  });
  expect(small.photoBudget.takenBytes).toBe(2 ** 20);
  second.destroy();
  first.destroy();
  await until(() => small.photoBudget.takenBytes === 0);
  const fits = await small.fetch('/v1/classifications', { method: 'POST', body: form(photo) });
  expect(fits.status).toBe(202);
  expect(small.photoBudget.takenBytes).toBe(0);
  await small.close();
});

test('a client that goes away while its photo is stored is not accepted, and its photo does not stay', async () => {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let stored = false;
  const slow = await startTestApi({
    putUpload: async (put) => {
      begun.resolve();
      await goOn.promise;
      await put();
      stored = true;
    },
  });
  const request = openForm('ann', { of: slow });
  request.end(Buffer.concat([photo, Buffer.from(`\r\n--${boundary}--\r\n`)]));
  await begun.promise;
  expect(slow.photoBudget.takenBytes).toBeGreaterThan(0);
  request.destroy();
  await until(async () => {
    const log = await slow.metrics.registry.getSingleMetricAsString('bunri_http_request_duration_seconds');
    return log.includes('method="POST",route="/v1/classifications"');
  });
  goOn.resolve();
  await until(async () => stored && (await slow.objects()).length === 0);
  expect(slow.queued).toEqual([]);
  expect(await slow.redis.exists(slow.records.keys.owner('ann'))).toBe(0);
  expect(slow.photoBudget.takenBytes).toBe(0);
  await slow.close();
});

const boundary = 'test-boundary';
const formHead = `--${boundary}\r\ncontent-disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n`;

function openForm(key: string, { of = api, headers = {} }: { of?: TestApi; headers?: Record<string, string> } = {}) {
  const { hostname, port } = new URL(of.url);
  const request = httpRequest({
    hostname,
    port,
    path: '/v1/classifications',
    method: 'POST',
    headers: { ...bearer(key), 'content-type': `multipart/form-data; boundary=${boundary}`, ...headers },
  });
  request.on('error', () => undefined);
  request.write(formHead);
  return request;
}
