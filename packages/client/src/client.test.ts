import { afterEach, expect, test } from '@jest/globals';
import {
  breaks,
  breaksOff,
  ended,
  gather,
  id,
  open,
  problem,
  says,
  serve,
  streams,
  type Handle,
} from './broken-server.ts';
import type { ClientOptions } from './client.ts';
import { ConnectionError } from './errors.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function apiThat(handlers: readonly Handle[], options: Partial<ClientOptions> = {}) {
  const api = await serve(handlers, options);
  closers.push(api.close);
  return api;
}

const photo = new Uint8Array([255, 216, 255]);
const accepted = says(202, {
  ...open,
  position: 3,
  estimated_completion: { p50: '2026-01-01T00:00:05Z', p95: '2026-01-01T00:00:09Z' },
  links: { self: '/' },
});

test('a photo is sent again with the same key and body after broken connections and answers that say later', async () => {
  const { client, seen, pauses } = await apiThat([
    breaks,
    problem(503, 'overloaded', { 'retry-after': '7' }),
    problem(429, 'rate_limited', { 'retry-after': 'Thu, 01 Jan 1970 00:00:20 GMT' }),
    breaksOff,
    accepted,
  ]);
  const told: number[] = [];
  const { resource, finished, place, replayed } = await client.submit(photo, {
    question: '뭐예요?',
    locale: 'ko',
    priority: 'interactive',
    deadlineS: 60,
    metadata: { shop: '7' },
    models: ['gpt-5', 'local'],
    onRetry: ({ tries }) => told.push(tries),
  });
  expect({ resource, finished, replayed }).toEqual({ resource: open, finished: false, replayed: false });
  expect(place.position).toBe(3);
  expect(told).toEqual([1, 2, 3, 4]);
  // 250 ms on its own account, 7 s and until 20 s past the epoch as it was told, and again on its own account.
  expect(pauses).toEqual([250, 7_000, 12_750, 2_000]);
  const keys = new Set(seen.map(({ headers }) => headers['idempotency-key']));
  expect(keys.size).toBe(1);
  expect([...keys][0]).toMatch(/^[0-9a-f]{32}$/);
  for (const { path, body } of seen.slice(1)) {
    expect(path).toBe('/v1/classifications?priority=interactive&deadline=60');
    expect(body).toContain('gpt-5,local');
    expect(body.indexOf('name="image"')).toBeGreaterThan(body.indexOf('name="metadata"'));
  }
});

test('two photos have two keys, and a given key is the one that is sent', async () => {
  const { client, seen } = await apiThat([accepted]);
  await client.submit(photo);
  await client.submit(photo);
  await client.submit(photo, { idempotencyKey: 'row-7', waitS: 30 });
  const keys = seen.map(({ headers }) => headers['idempotency-key']);
  expect(new Set(keys).size).toBe(3);
  expect(keys[2]).toBe('row-7');
  expect(seen[2]?.headers['prefer']).toBe('wait=30');
});

test('a picture on the web and an upload are sent as JSON, without what was not said', async () => {
  const { client, seen } = await apiThat([says(200, ended, { 'idempotent-replayed': 'true' })]);
  const first = await client.submit({ imageUrl: 'https://example.org/a.jpg' }, { locale: 'en', models: ['local'] });
  await client.submit({ uploadId: 'upl_1' });
  expect(first).toMatchObject({ finished: true, replayed: true, place: { position: null } });
  expect(seen.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
    { image_url: 'https://example.org/a.jpg', locale: 'en', models: ['local'] },
    { upload_id: 'upl_1' },
  ]);
});

test('a refusal is told at once, with its code, its fields, the time to wait and the id for support', async () => {
  const { client, seen } = await apiThat([
    says(
      422,
      {
        code: 'image_animated',
        title: 'No',
        detail: 'Send a still picture.',
        errors: [{ field: 'image', message: 'moves' }],
      },
      { 'x-request-id': 'r-9', 'retry-after': '3' },
    ),
    (_request, response) => {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<p>nginx');
    },
  ]);
  await expect(client.submit(photo)).rejects.toMatchObject({
    name: 'ProblemError',
    message: 'Send a still picture.',
    status: 422,
    code: 'image_animated',
    requestId: 'r-9',
    retryAfterMs: 3_000,
    errors: [{ field: 'image', message: 'moves' }],
  });
  await expect(client.get(id)).rejects.toMatchObject({ status: 404, code: 'unexpected_answer', errors: [] });
  expect(seen).toHaveLength(2);
});

test('patience is bounded: what the API asks to wait for longer is refused as it is, and so is an API that is away', async () => {
  const busy = await apiThat([problem(503, 'overloaded', { 'retry-after': '600' })]);
  await expect(busy.client.submit(photo)).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 600_000 });
  expect(busy.pauses).toEqual([]);
  const away = await apiThat([breaks], { patienceMs: 10_000 });
  await expect(away.client.get(id)).rejects.toThrow(ConnectionError);
  expect(away.pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(10_000);
  expect(away.pauses.length).toBeGreaterThan(3);
});

test('a signal ends a call that hangs and one that waits for its next try, in browsers that cannot join signals too', async () => {
  const any = Object.getOwnPropertyDescriptor(AbortSignal, 'any') ?? {};
  closers.push(() => Object.defineProperty(AbortSignal, 'any', any));
  Object.defineProperty(AbortSignal, 'any', { ...any, value: undefined });
  const stop = new AbortController();
  const { client } = await apiThat([() => stop.abort(new Error('left'))]);
  await expect(client.submit(photo, { signal: stop.signal })).rejects.toThrow('left');
  const later = new AbortController();
  const onRetry = () => later.abort(new Error('left too'));
  const busy = await apiThat([problem(503, 'overloaded')]);
  await expect(busy.client.get(id, { signal: later.signal, onRetry })).rejects.toThrow('left too');
});

test('a try that hangs is given up and repeated', async () => {
  const { client, seen } = await apiThat([() => undefined, says(200, ended)], { tryTimeoutMs: 2_000 });
  expect(await client.get(id)).toEqual(ended);
  expect(seen).toHaveLength(2);
});

test('a key goes into the header of every call and nowhere else, and one that is asked for is read anew', async () => {
  let key = 'k1.first';
  const { client, seen } = await apiThat([says(200, ended)], { apiKey: () => key });
  await client.get(id);
  key = 'k1.second';
  await client.items({ q: '캔', locale: 'ko', limit: 3 });
  expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer k1.first', 'Bearer k1.second']);
  expect(seen[1]?.path).toBe(`/v1/items?q=${encodeURIComponent('캔')}&locale=ko&limit=3`);
  for (const { path } of seen) expect(path).not.toContain('k1');
});

test('the list is read page by page, no further than it is looked at', async () => {
  const page = (cursor: string | null) =>
    says(200, { data: [{ id: `before ${cursor}` }, { id }], next_cursor: cursor });
  const { client, seen } = await apiThat([page('two'), page(null)]);
  const all = await gather(client.list({ pageSize: 2, filters: { status: 'failed' } }));
  expect(all.map((one) => one.id)).toEqual(['before two', id, 'before null', id]);
  expect(seen.map(({ path }) => path)).toEqual([
    '/v1/classifications?status=failed&limit=2',
    '/v1/classifications?status=failed&limit=2&cursor=two',
  ]);
  const short = await apiThat([page('two')]);
  for await (const _ of short.client.list()) break;
  expect(short.seen).toHaveLength(1);
});

test('a removal whose answer was lost is no error, and an open request is canceled before', async () => {
  const receipt = { id, status: 'deleted', record: { removed: true, reason: null } };
  const gone = problem(404, 'not_found');
  const lost = await apiThat([breaks, gone]);
  expect(await lost.client.delete(id)).toBeNull();
  const unknown = await apiThat([gone]);
  await expect(unknown.client.delete(id)).rejects.toMatchObject({ code: 'not_found' });
  const busy = await apiThat([says(200, { ...open, status: 'canceled' }), says(200, receipt)]);
  expect(await busy.client.delete(id)).toEqual(receipt);
  const justEnded = await apiThat([problem(409, 'already_ended'), says(200, receipt)]);
  expect(await justEnded.client.delete(id)).toEqual(receipt);
  expect(justEnded.seen.map(({ method }) => method)).toEqual(['DELETE', 'DELETE']);
});

test('a photo that is put into the bucket goes there with what it is signed for, and without the key', async () => {
  const bucket = await apiThat([breaks, says(200, '')]);
  const headers = { 'content-type': 'image/webp', 'x-amz-checksum-sha256': 'abc' };
  const target = { upload_id: 'upload_1', method: 'PUT', url: `${bucket.url}/there?signed=1`, headers };
  const { client, seen } = await apiThat([says(201, target)], { apiKey: 'k1.secret' });
  expect(await client.upload(new Blob(['abc'], { type: 'image/webp' }))).toEqual({ uploadId: 'upload_1' });
  expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ size_bytes: 3, content_type: 'image/webp' });
  expect(seen[0]?.headers.authorization).toBe('Bearer k1.secret');
  const put = bucket.seen.at(-1);
  expect(put).toMatchObject({ method: 'PUT', path: '/there?signed=1', body: 'abc', headers });
  expect(put?.headers.authorization).toBeUndefined();
});

test('a wait ends with the request, by its events and by looking where no stream gets through', async () => {
  const live = await apiThat([streams(1, 4, 'completed')]);
  const types: string[] = [];
  expect(await live.client.wait(id, { onEvent: ({ type }) => types.push(type) })).toEqual(ended);
  expect(types).toEqual(['stage.started', 'stage.started', 'stage.started', 'completed']);
  expect(live.seen).toHaveLength(1);

  const withheld: Handle = (request, response, body) =>
    (request.url?.endsWith('/events') ? breaks : says(200, polls++ < 2 ? open : ended))(request, response, body);
  let polls = 0;
  const dull = await apiThat([withheld]);
  const looks: string[] = [];
  expect(await dull.client.wait(id, { onLook: ({ status }) => looks.push(status) })).toEqual(ended);
  expect(looks).toEqual(['running', 'running']);

  const unknown = await apiThat([problem(404, 'not_found')]);
  await expect(unknown.client.wait(id)).rejects.toMatchObject({ code: 'not_found' });
});

test('what a person says is sent as it is: an item, words, or an opinion', async () => {
  const { client, seen } = await apiThat([accepted]);
  await client.clarify(id, { itemId: 'pet-bottle' });
  await client.clarify(id, { text: '우산' });
  await client.feedback(id, { helpful: true });
  expect(seen.map(({ path, body }) => [path, JSON.parse(body) as unknown])).toEqual([
    [`/v1/classifications/${id}/clarify`, { item_id: 'pet-bottle' }],
    [`/v1/classifications/${id}/clarify`, { text: '우산' }],
    [`/v1/classifications/${id}/feedback`, { helpful: true }],
  ]);
});
