import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { catalogueVersion, publicItems } from '@bunri/knowledge';
import { drawSamplePhoto } from '@bunri/testkit';
import { form, startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

const someId = `req_${'0'.repeat(32)}`;
const doors = [
  ['POST', '/v1/classifications', 'submit'],
  ['GET', '/v1/classifications', 'read'],
  ['GET', `/v1/classifications/${someId}`, 'read'],
  ['DELETE', `/v1/classifications/${someId}`, 'submit'],
  ['GET', `/v1/classifications/${someId}/events`, 'read'],
  ['POST', `/v1/classifications/${someId}/clarify`, 'submit'],
  ['POST', `/v1/classifications/${someId}/cancel`, 'submit'],
  ['POST', '/v1/uploads', 'submit'],
  ['POST', `/v1/classifications/${someId}/feedback`, 'submit'],
  ['GET', '/v1/items', 'read'],
  ['GET', '/v1/queues', 'read'],
] as const;

describe('the door', () => {
  test.each(doors)('%s %s opens to nobody without a key', async (method, path, _scope) => {
    const answer = await api.fetch(path, { method, key: null });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    expect(await answer.json()).toMatchObject({ code: 'unauthorized', type: 'urn:bunri:problem:unauthorized' });
  });

  test.each(doors)('%s %s opens to a key that only reads if it is %s', async (method, path, scope) => {
    const answer = await api.fetch(path, { method, key: 'annReads' });
    expect(answer.status === 403).toBe(scope === 'submit');
  });

  test('a key that asks too often is told when to come back, and every answer what is left', async () => {
    const limited = await startTestApi({ perMinute: 2 });
    const answers = [];
    for (let i = 0; i < 3; i += 1) answers.push(await limited.fetch('/v1/queues'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[0]?.headers.get('ratelimit')).toMatch(/^"minute";r=1;t=60$/);
    expect(answers[0]?.headers.get('ratelimit-policy')).toBe('"minute";q=2;w=60');
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await answers[2]?.json()).toMatchObject({ code: 'rate_limited' });
    expect((await limited.fetch('/v1/queues', { key: 'bob' })).status).toBe(200);
    await limited.close();
  });
});

describe('every answer', () => {
  test('has an id, which may be the client’s, and forbids a browser what it need not do', async () => {
    const given = await api.fetch('/v1/queues', { headers: { 'x-request-id': 'trace-1' } });
    expect(given.headers.get('x-request-id')).toBe('trace-1');
    expect(given.headers.get('x-content-type-options')).toBe('nosniff');
    expect(given.headers.get('cache-control')).toBe('no-store');
    expect(given.headers.get('x-powered-by')).toBeNull();
    const forged = await api.fetch('/v1/nothing', { headers: { 'x-request-id': 'a b' } });
    const id = forged.headers.get('x-request-id');
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await forged.json()).toMatchObject({ code: 'not_found', request_id: id });
  });

  test('is measured by its route, never by its path', async () => {
    await api.fetch(`/v1/classifications/${someId}`);
    await api.fetch('/v1/nothing');
    const text = await (await api.fetch('/metrics', { key: null })).text();
    expect(text).toContain('method="GET",route="/v1/classifications/:id",status="404"');
    expect(text).toContain('route="unmatched",status="404"');
    expect(text).not.toContain(someId);
  });
});

test.each([
  ['PUT', '/v1/classifications', 'POST, GET, HEAD'],
  ['POST', `/v1/classifications/${someId}`, 'GET, HEAD, DELETE'],
  ['DELETE', '/openapi.json', 'GET, HEAD'],
  ['POST', '/items', 'GET, HEAD'],
  ['GET', `/v1/classifications/${someId}/clarify`, 'POST'],
])('%s %s is no such method, and the answer says which there are', async (method, path, allow) => {
  const answer = await api.fetch(path, { method });
  expect(answer.status).toBe(405);
  expect(answer.headers.get('allow')).toBe(allow);
  expect(await answer.json()).toMatchObject({ code: 'method_not_allowed' });
});

test.each(['/v1/nothing', '/v1/classifications/a/b', '/openapi-json'])('%s is not found', async (path) => {
  expect((await api.fetch(path, { method: 'PUT' })).status).toBe(404);
});

test('the probes need no key, and readiness names what is missing', async () => {
  expect((await api.fetch('/healthz', { key: null })).status).toBe(200);
  const ready = await api.fetch('/readyz', { key: null });
  expect(await ready.json()).toEqual({ ready: true, failing: [] });
});

describe('the catalogue', () => {
  test('is given in the language that is asked for, and not again to whoever has it', async () => {
    const answer = await api.fetch('/v1/items?locale=en');
    const { items, version } = (await answer.json()) as { items: { id: string }[]; version: string };
    expect(items.map(({ id }) => id)).toContain(publicItems('en').items[0]?.id);
    expect(items).toHaveLength(publicItems('en').items.length);
    expect(version).toBe(catalogueVersion);
    const etag = answer.headers.get('etag') ?? '';
    const again = await api.fetch('/v1/items?locale=en', { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  });

  test('is searched, with the best match first and only the sources that it cites', async () => {
    const answer = await api.fetch(`/v1/items?limit=3&q=${encodeURIComponent('우유팩')}`);
    const { items, sources } = (await answer.json()) as { items: Found[]; sources: { id: string }[] };
    expect(items.length).toBeLessThanOrEqual(3);
    expect(items[0]?.name).toContain('팩');
    const cited = new Set(items.flatMap(({ rules }) => rules.map(({ source_id }) => source_id)));
    expect(new Set(sources.map(({ id }) => id))).toEqual(cited);
  });

  interface Found {
    name: string;
    rules: { source_id: string }[];
  }
});

test('the queues show what waits where', async () => {
  const counted = await startTestApi();
  const body = form(await drawSamplePhoto());
  await counted.fetch('/v1/classifications', { method: 'POST', body });
  const answer = await counted.fetch('/v1/queues');
  const { queues } = (await answer.json()) as { queues: { name: string; jobs: Record<string, number> }[] };
  expect(queues.map(({ name }) => name)).toEqual(['preprocess', 'vision', 'rag', 'llm']);
  expect(queues[0]?.jobs).toMatchObject({ waiting: 1, active: 0 });
  expect(queues[3]?.jobs).toMatchObject({ waiting: 0, waiting_children: 1 });
  await counted.close();
});
