import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Resource } from '@bunri/queue-contracts';
import { sha256, storeRequest } from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import { sampleOutputs } from '../sample-outputs.ts';
import { models, runStages, startTestApi, type TestApi } from '../test-api.ts';

// Others may keep the machine busy.
let clock = Date.parse('2026-03-01T12:00:00Z');
let api: TestApi;
let photo: Buffer;
beforeAll(async () => {
  api = await startTestApi({ now: () => clock });
  photo = await drawSamplePhoto();
});
afterAll(async () => {
  await api.close();
});

interface Upload {
  upload_id: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  expires_at: string;
  max_bytes: number;
}

async function post(path: string, body: object, { key = 'ann', headers = {} } = {}): Promise<Response> {
  const json = { 'content-type': 'application/json', ...headers };
  return await api.fetch(path, { method: 'POST', body: JSON.stringify(body), headers: json, key });
}

async function create(over: object = {}): Promise<Upload> {
  const answer = await post('/v1/uploads', { size_bytes: photo.byteLength, content_type: 'image/jpeg', ...over });
  expect(answer.status).toBe(201);
  return (await answer.json()) as Upload;
}

async function put({ url, method, headers }: Upload, bytes: Uint8Array = photo): Promise<void> {
  const { 'content-length': _byFetch, ...others } = headers;
  const answer = await fetch(url, { method, headers: others, body: new Uint8Array(bytes) });
  expect(answer.status).toBe(200);
}

const submit = async (uploadId: string, more: object = {}, options = {}) =>
  await post('/v1/classifications', { upload_id: uploadId, ...more }, options);
const codeOf = async (answer: Response) => ({
  status: answer.status,
  code: ((await answer.json()) as { code: string }).code,
});
const idOf = async (answer: Response) => {
  expect(answer.status).toBe(202);
  return ((await answer.json()) as Resource).id;
};

test('a photo that was put where the answer says is submitted by its id, as the object that it was then', async () => {
  const upload = await create();
  expect(upload).toMatchObject({ method: 'PUT', max_bytes: 10 * 2 ** 20 });
  expect(upload.headers).toEqual({ 'content-type': 'image/jpeg', 'content-length': String(photo.byteLength) });
  expect(Date.parse(upload.expires_at)).toBe(clock + 3_600_000);
  await put(upload);
  const id = await idOf(await submit(upload.upload_id));
  const key = `uploads/${upload.upload_id}`;
  const stored = await api.storage.head(key);
  const source = { kind: 'object', key, sizeBytes: photo.byteLength, etag: stored?.etag };
  expect((await api.records.get(id))?.request.source).toEqual(source);
});

test('the URL is signed for the length, the type and the hash that were announced', async () => {
  const { url, headers } = await create({ sha256: sha256(photo) });
  const signed = new URL(url).searchParams.get('X-Amz-SignedHeaders')?.split(';');
  expect(signed).toEqual(['content-length', 'content-type', 'host', 'x-amz-checksum-sha256']);
  const checksum = Buffer.from(sha256(photo), 'hex').toString('base64');
  expect(headers).toMatchObject({ 'x-amz-checksum-sha256': checksum });
  expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('3600');
});

test('one photo may be asked about twice, and in a form', async () => {
  const upload = await create();
  await put(upload);
  const first = await idOf(await submit(upload.upload_id));
  const body = new FormData();
  body.append('upload_id', upload.upload_id);
  body.append('question', '라벨은요?');
  const second = await api.fetch('/v1/classifications', { method: 'POST', body });
  expect(await idOf(second)).not.toBe(first);
});

test('an answer that is known to the announced photo is given at once', async () => {
  const question = '뚜껑은요?';
  const outputs = sampleOutputs(question);
  await api.storage.put(outputs.preprocess.key, new Uint8Array(4), 'image/jpeg');
  const asked = { sha256: sha256(photo), question, locale: 'ko' as const };
  await storeRequest(api.cache, { ...asked, visionModel: models.vision, llmModel: models.llm }, outputs);
  const upload = await create({ sha256: sha256(photo) });
  await put(upload);
  const answer = await submit(upload.upload_id, { question });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ status: 'completed', cached: true });
});

describe('a submission is refused', () => {
  test('before the photo is there, and with another length than was announced', async () => {
    const upload = await create();
    expect(await codeOf(await submit(upload.upload_id))).toEqual({ status: 409, code: 'upload_missing' });
    await put(upload, new Uint8Array(10));
    expect(await codeOf(await submit(upload.upload_id))).toEqual({ status: 422, code: 'upload_mismatch' });
  });

  test('of another owner’s upload as of none, and of one that is too old', async () => {
    const upload = await create();
    await put(upload);
    const refused = { status: 422, code: 'upload_unknown' };
    expect(await codeOf(await submit(upload.upload_id, {}, { key: 'bob' }))).toEqual(refused);
    expect(await codeOf(await submit(`upload_${'0'.repeat(32)}`))).toEqual(refused);
    await api.redis.pexpire(api.records.keys.upload(upload.upload_id), 1);
    while ((await api.redis.exists(api.records.keys.upload(upload.upload_id))) === 1);
    expect(await codeOf(await submit(upload.upload_id))).toEqual(refused);
    expect(await api.redis.exists(api.records.keys.image('0'.repeat(32)))).toBe(0);
  });

  test('with an image_url beside it, without either, and with an id that is none', async () => {
    const { upload_id } = await create();
    const bodies = [{ upload_id, image_url: 'https://example.com/a.jpg' }, {}, { upload_id: 'upload_1' }];
    for (const body of bodies) expect((await post('/v1/classifications', body)).status).toBe(400);
  });
});

test.each([
  [{ size_bytes: 11 * 2 ** 20 }, 413],
  [{ size_bytes: 0 }, 400],
  [{ size_bytes: 1.5 }, 400],
  [{ content_type: 'image/jpeg\r\nx: y' }, 400],
  [{ sha256: 'abc' }, 400],
  [{ name: 'photo.jpg' }, 400],
])('no place is given to %j', async (over, status) => {
  const answer = await post('/v1/uploads', { size_bytes: 100, ...over });
  expect(answer.status).toBe(status);
});

test('the same key and upload are the same request, and another object in its place is another', async () => {
  const upload = await create();
  await put(upload);
  const headers = { 'idempotency-key': 'the same upload' };
  const first = await idOf(await submit(upload.upload_id, {}, { headers }));
  expect(await idOf(await submit(upload.upload_id, {}, { headers }))).toBe(first);
  await put(upload, Buffer.alloc(photo.byteLength, 7));
  expect(await codeOf(await submit(upload.upload_id, {}, { headers }))).toMatchObject({ code: 'idempotency_conflict' });
});

test('it goes with the last request that was made of it, and cannot be submitted after that', async () => {
  const upload = await create();
  await put(upload);
  const [first, second] = [await idOf(await submit(upload.upload_id)), await idOf(await submit(upload.upload_id))];
  const remove = async (id: string) => {
    await runStages(api.records, id, sampleOutputs());
    return (await (await api.fetch(`/v1/classifications/${id}`, { method: 'DELETE' })).json()) as object;
  };
  expect(await remove(first)).toMatchObject({ upload: { removed: false, reason: 'other_requests' } });
  await put(upload);
  clock += 600_001;
  expect(await remove(second)).toMatchObject({ upload: { removed: true } });
  expect(await api.objects()).not.toContain(`uploads/${upload.upload_id}`);
  expect(await codeOf(await submit(upload.upload_id))).toEqual({ status: 422, code: 'upload_unknown' });
});
