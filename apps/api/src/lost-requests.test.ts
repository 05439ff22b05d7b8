import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { newRequestId } from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import type { ProblemDocument } from './problem.ts';
import { form, startTestApi, type TestApi } from './test-api.ts';

const path = '/v1/classifications';
const lost = { status: 410, code: 'request_lost' };
let photo: Buffer;
let api: TestApi;
beforeAll(async () => {
  photo = await drawSamplePhoto();
});
beforeEach(async () => {
  api = await startTestApi();
});
afterEach(async () => {
  await api.close();
});

const submit = async (headers: Record<string, string> = {}) =>
  await api.fetch(path, { method: 'POST', body: form(photo), headers });
const accepted = async () => ((await (await submit()).json()) as { id: string }).id;

test('a request that was lost with its store is gone, to every owner, and never merely not found', async () => {
  const id = await accepted();
  await api.loseStore();
  for (const key of ['ann', 'bob']) {
    for (const [method, suffix] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/events'],
    ] as const) {
      const answer = await api.fetch(`${path}/${id}${suffix}`, { method, key });
      const problem = (await answer.json()) as ProblemDocument;
      expect(problem).toMatchObject(lost);
      expect(problem.detail).toContain('Send it again');
    }
  }
  // The store goes on as a new one.
  expect((await submit()).status).toBe(202);
});

test('an id that this store would know, and one that is none of ours, are not found', async () => {
  await accepted();
  for (const id of [newRequestId(), `req_${'0'.repeat(32)}`, 'req_x']) {
    expect((await api.fetch(`${path}/${id}`)).status).toBe(404);
  }
});

test('a stream that is open when the store comes back empty ends with the reason', async () => {
  const id = await accepted();
  const answer = await api.fetch(`${path}/${id}/events`);
  let text = '';
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    const isFirst = !text.includes('event: accepted');
    text += Buffer.from(chunk).toString();
    if (isFirst && text.includes('event: accepted')) await api.loseStore();
  }
  const [, data = '{}'] = /\n\nevent: error\ndata: (.+)\n\n$/.exec(text) ?? [];
  expect(JSON.parse(data)).toMatchObject(lost);
});

test('a stream is not left open beyond the deadline of a request whose record is gone without a word', async () => {
  let clock = Date.now();
  const other = await startTestApi({ now: () => clock });
  const { id } = (await (await other.fetch(`${path}?deadline=5`, { method: 'POST', body: form(photo) })).json()) as {
    id: string;
  };
  clock += 4_990;
  const answer = await other.fetch(`${path}/${id}/events`);
  await other.redis.unlink(other.records.keys.record(id), other.records.keys.events(id));
  clock += 10;
  expect(await answer.text()).toContain('event: error\ndata: {"type":"urn:bunri:problem:request_lost"');
  await other.close();
});

test('whoever waits for the answer when the store comes back empty is told, and does not wait on', async () => {
  const answer = submit({ prefer: 'wait=60' });
  const listening = async () =>
    Object.values(await api.redis.pubsub('NUMSUB', api.records.keys.events(api.queued[0] ?? ''))).includes(1);
  while (!(await listening())) await new Promise((resolve) => setImmediate(resolve));
  await api.loseStore();
  expect((await answer).status).toBe(410);
  expect(await (await answer).json()).toMatchObject(lost);
});
