import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { failure } from '@bunri/queue-contracts';
import { newRequestId, replayDiffSchema } from '@bunri/runtime';
import { sampleOutputs } from '../sample-outputs.ts';
import { runStages, startTestApi, type TestApi } from '../test-api.ts';
import { adminPath, replayAcceptedSchema } from './replays.ts';

const outputs = sampleOutputs();
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

async function accept(): Promise<string> {
  const id = newRequestId();
  const now = Date.now();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 } as const;
  const times = { createdAt: now, deadlineAt: now + 60_000 };
  await api.records.accept({
    id,
    owner: 'ann',
    question: 'How?',
    locale: 'en',
    source,
    priority: 'interactive',
    ...times,
  });
  return id;
}

async function replay(id: string, body: unknown = {}, more: Record<string, string> = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...more };
  return await api.fetch(`${adminPath}/${id}/replay`, {
    method: 'POST',
    key: 'root',
    body: JSON.stringify(body),
    headers,
  });
}

const get = async (path: string) => await api.fetch(path, { key: 'root' });

test('a replay is accepted for the owner of the original, and compared once it has ended', async () => {
  const original = await accept();
  await runStages(api.records, original, outputs);
  const answer = await replay(original, { llm_model: 'other', deadline: 60 });
  expect(answer.status).toBe(202);
  const { id, links, replay_of } = replayAcceptedSchema.parse(await answer.json());
  expect(answer.headers.get('location')).toBe(links.self);
  expect(replay_of).toBe(original);
  expect(api.queued).toContain(id);
  expect(await (await get(links.self)).json()).toMatchObject({
    id,
    owner: 'ann',
    priority: 'batch',
    replay_of: original,
  });

  const early = await get(links.diff);
  expect(early.status).toBe(409);
  expect(early.headers.get('retry-after')).toBe('2');
  expect(await early.json()).toMatchObject({ code: 'not_ended' });

  await runStages(api.records, id, outputs);
  const diff = replayDiffSchema.parse(await (await get(links.diff)).json());
  expect(diff).toMatchObject({ before: original, after: id, same: true, cost: { difference_usd: 0 } });
  expect(diff.stages.filter((stage) => stage.taken_over)).toHaveLength(3);
});

test('a replay with a key may be sent again; the key is the operator’s, for this replay alone', async () => {
  const [original, another] = [await accept(), await accept()];
  for (const id of [original, another]) await runStages(api.records, id, outputs);
  // The owner of the request has used the same key for a request of their own.
  const key = { 'idempotency-key': 'try the new model' };
  const own = JSON.stringify({ image_url: 'https://example.com/a.jpg' });
  const json = { 'content-type': 'application/json', ...key };
  expect((await api.fetch('/v1/classifications', { method: 'POST', body: own, headers: json })).status).toBe(202);

  const change = { llm_model: 'other' };
  const answers = await Promise.all([1, 2, 3].map(async () => await replay(original, change, key)));
  const replays = await Promise.all(answers.map(async (answer) => replayAcceptedSchema.parse(await answer.json())));
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect(new Set(replays.map(({ id }) => id)).size).toBe(1);
  expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(2);

  const conflicts = [
    await replay(original, { llm_model: 'a third' }, key),
    await replay(original, { ...change, deadline: 60 }, key),
    await replay(another, change, key),
  ];
  for (const answer of conflicts) {
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ code: 'idempotency_conflict' });
  }
  expect((await replay(original, change, { 'idempotency-key': 'x'.repeat(256) })).status).toBe(400);
  const { id } = replayAcceptedSchema.parse(await (await replay(original, change)).json());
  expect(id).not.toBe(replays[0]?.id);
});

test('what cannot be replayed or compared is refused with its reason', async () => {
  const id = await accept();
  const codeOf = async (answer: Response) => ({
    status: answer.status,
    ...((await answer.json()) as { code: string }),
  });
  expect(await codeOf(await replay(id))).toMatchObject({ status: 409, code: 'not_ended' });
  await api.records.fail(id, failure('image_undecodable', 'No.', 'preprocess'));
  expect(await codeOf(await replay(id))).toMatchObject({ status: 409, code: 'not_replayable' });
  expect(await codeOf(await get(`${adminPath}/${id}/diff`))).toMatchObject({ status: 404, code: 'not_found' });
  expect(await codeOf(await replay(newRequestId()))).toMatchObject({ status: 404 });
  expect(await codeOf(await get(`${adminPath}/nonsense`))).toMatchObject({ status: 404 });
  expect(await codeOf(await replay(id, { model: 'x' }))).toMatchObject({ status: 400, code: 'invalid_request' });
  expect(await codeOf(await replay(id, { llm_model: '' }))).toMatchObject({ status: 400 });
});

test('a replay whose original is past its retention says so', async () => {
  const original = await accept();
  await runStages(api.records, original, outputs);
  const { id } = replayAcceptedSchema.parse(await (await replay(original)).json());
  await runStages(api.records, id, outputs);
  await api.records.remove(original, 'ann');
  const answer = await get(`${adminPath}/${id}/diff`);
  expect(answer.status).toBe(404);
  expect(await answer.json()).toMatchObject({ detail: expect.stringContaining(original) });
});
