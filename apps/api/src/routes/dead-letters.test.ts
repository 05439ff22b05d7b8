import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { failure, type FailureCode } from '@bunri/queue-contracts';
import { deadLetterPageSchema, handledManySchema, inspectionSchema, newRequestId } from '@bunri/runtime';
import { sampleOutputs } from '../sample-outputs.ts';
import { runStages, startTestApi, type TestApi } from '../test-api.ts';
import { deadLetterPath } from './dead-letters.ts';
import { adminPath } from './replays.ts';

const outputs = sampleOutputs();
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

const question = 'may I throw my diary away?';

async function accept(owner: string): Promise<string> {
  const id = newRequestId();
  const now = Date.now();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 } as const;
  const times = { createdAt: now, deadlineAt: now + 60_000 };
  await api.records.accept({ id, owner, question, locale: 'en', source, priority: 'interactive', ...times });
  return id;
}

async function dead({ owner = 'ann', code = 'model_unavailable' }: { owner?: string; code?: FailureCode } = {}) {
  const id = await accept(owner);
  await runStages(api.records, id, outputs, 'rag');
  await api.records.start({ id, stage: 'llm', token: 'run' });
  await api.records.fail(id, failure(code, 'It broke.', 'llm'));
  return id;
}

async function send(
  path: string,
  { method = 'GET', body, key = 'root' }: { method?: string; body?: unknown; key?: string } = {},
) {
  const json =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await api.fetch(path, { method, key, ...json });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

const someId = newRequestId();
test.each([
  ['GET', deadLetterPath],
  ['GET', `${deadLetterPath}/${someId}`],
  ['POST', `${deadLetterPath}/${someId}/retry`],
  ['POST', `${deadLetterPath}/retry`],
  ['DELETE', `${deadLetterPath}/${someId}`],
  ['DELETE', `${deadLetterPath}?all=true`],
  ['GET', `${adminPath}/${someId}`],
  ['POST', `${adminPath}/${someId}/replay`],
  ['GET', `${adminPath}/${someId}/diff`],
])('%s %s opens to keys with the scope admin alone', async (method, path) => {
  for (const key of ['ann', 'annReads', 'bob']) {
    expect(await send(path, { method, key })).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  }
  expect((await api.fetch(path, { method, key: null })).status).toBe(401);
  expect((await send(path, { method })).status).not.toBe(403);
});

test('an owner’s key reaches neither its own dead letter nor another’s, an admin’s reaches both', async () => {
  const ids = [await dead({ owner: 'ann' }), await dead({ owner: 'bob' })];
  for (const id of ids) {
    expect((await send(`${deadLetterPath}/${id}`, { key: 'ann' })).status).toBe(403);
    const { status, body } = await send(`${deadLetterPath}/${id}`);
    expect(status).toBe(200);
    expect(inspectionSchema.parse(body)).toMatchObject({ id, dead_letter: true });
    expect(JSON.stringify(body)).not.toContain('diary');
  }
  const asked = await send(`${deadLetterPath}/${ids[0]}?show_question=true`);
  expect(asked.body).toMatchObject({ question });
});

test('dead letters are listed page by page and by filter', async () => {
  await send(`${deadLetterPath}?all=true`, { method: 'DELETE' });
  const first = await dead({ owner: 'bob', code: 'worker_lost' });
  const second = await dead();
  const page = await send(`${deadLetterPath}?limit=1`);
  expect(deadLetterPageSchema.parse(page.body)).toMatchObject({ data: [{ id: second, stage: 'llm', attempts: 1 }] });
  const next = await send(`${deadLetterPath}?limit=1&cursor=${String(page.body['next_cursor'])}`);
  expect(next.body).toMatchObject({ data: [{ id: first }], next_cursor: null });
  const since = new Date(Date.now() - 60_000).toISOString();
  expect((await send(`${deadLetterPath}?code=worker_lost&owner=bob&since=${since}`)).body).toMatchObject({
    data: [{ id: first }],
  });
  expect((await send(`${deadLetterPath}?until=${since}`)).body).toMatchObject({ data: [] });
  for (const query of ['cursor=x', 'code=nonsense', 'since=yesterday', 'colour=red']) {
    expect(await send(`${deadLetterPath}?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  }
});

test('a retry opens a dead letter again and queues it once', async () => {
  const id = await dead();
  const path = `${deadLetterPath}/${id}/retry`;
  const retried = await send(path, { method: 'POST', body: { deadline: 60, priority: 'interactive' } });
  expect(retried).toMatchObject({ status: 202, body: { id, outcome: 'reopened', detail: null } });
  expect(await api.records.get(id)).toMatchObject({
    status: 'queued',
    generation: 1,
    request: { priority: 'interactive' },
  });
  expect(api.queued.filter((queued) => queued === id)).toHaveLength(1);
  expect(await send(path, { method: 'POST' })).toMatchObject({ status: 409, body: { code: 'not_dead_letter' } });
  expect((await send(`${deadLetterPath}/${id}`)).status).toBe(404);
  expect((await send(`${deadLetterPath}/${newRequestId()}/retry`, { method: 'POST' })).status).toBe(404);
});

test('many are retried or purged only by a filter, or where all is said', async () => {
  const anns = [await dead(), await dead()];
  const bobs = await dead({ owner: 'bob', code: 'model_timeout' });
  const retry = `${deadLetterPath}/retry`;
  for (const body of [{}, { deadline: 60 }, { all: true, owner: 'ann' }, { all: false }]) {
    expect(await send(retry, { method: 'POST', body })).toMatchObject({ status: 400 });
  }
  for (const query of ['', '?all=false', '?all=true&owner=ann']) {
    expect(await send(`${deadLetterPath}${query}`, { method: 'DELETE' })).toMatchObject({ status: 400 });
  }
  const retried = await send(retry, { method: 'POST', body: { code: 'model_timeout', owner: 'bob' } });
  expect(handledManySchema.parse(retried.body)).toMatchObject({ counts: { reopened: 1 }, results: [{ id: bobs }] });
  const purged = await send(`${deadLetterPath}?owner=ann`, { method: 'DELETE' });
  expect(handledManySchema.parse(purged.body)).toMatchObject({ left: 0, more: false });
  for (const id of anns) expect(await api.records.get(id)).toBeNull();
  await dead({ owner: 'carl' });
  expect((await send(retry, { method: 'POST', body: { all: true } })).status).toBe(200);
  expect((await send(deadLetterPath)).body).toMatchObject({ data: [] });
});

test('what is no dead letter is neither retried nor purged', async () => {
  const completed = await accept('ann');
  await runStages(api.records, completed, outputs);
  const clients = await dead({ code: 'image_undecodable' });
  for (const id of [completed, clients]) {
    expect((await send(`${deadLetterPath}/${id}`)).status).toBe(404);
    const refusals = [
      await send(`${deadLetterPath}/${id}/retry`, { method: 'POST' }),
      await send(`${deadLetterPath}/${id}`, { method: 'DELETE' }),
    ];
    for (const refusal of refusals) expect(refusal).toMatchObject({ status: 409, body: { code: 'not_dead_letter' } });
    expect((await send(`${adminPath}/${id}`)).body).toMatchObject({ id, dead_letter: false });
  }
  const id = await dead();
  expect(await send(`${deadLetterPath}/${id}`, { method: 'DELETE' })).toMatchObject({
    status: 200,
    body: { outcome: 'purged' },
  });
});

test('a body that is not JSON is not taken for the defaults', async () => {
  const id = await dead();
  const answer = await api.fetch(`${deadLetterPath}/${id}/retry`, { method: 'POST', key: 'root', body: 'deadline=5' });
  expect(answer.status).toBe(415);
  expect((await api.records.get(id))?.status).toBe('failed');
});
