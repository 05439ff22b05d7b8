import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { catalogue } from '@bunri/knowledge';
import { failure, type Request, type Resource, type StageName } from '@bunri/queue-contracts';
import { createArchiver, newRequestId } from '@bunri/runtime';
import type { Way } from '../forecast.ts';
import { sampleOutputs } from '../sample-outputs.ts';
import { runStages, startTestApi, type TestApi } from '../test-api.ts';

const [pet, other] = catalogue.items;
if (!pet || !other) throw new Error('the catalogue is empty');
const question = { question: '어느 것인가요?', options: [option(pet), option(other)] };
const plain = sampleOutputs();
/** Of a photo that left open what the thing is. */
const asking = { ...plain, rag: { ...plain.rag, clarification: question } };

function option(item: NonNullable<typeof pet>) {
  const { id, names, wasteCategory, subcategory } = item;
  return { item_id: id, label: names.ko, waste_category: wasteCategory, subcategory };
}

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

async function accept(at: TestApi = api, over: Partial<Request> = {}): Promise<string> {
  const id = newRequestId();
  const now = Date.now();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 } as const;
  const given = { id, owner: 'ann', question: '이거요', locale: 'ko', source, priority: 'batch' } as const;
  await at.records.accept({ ...given, createdAt: now, deadlineAt: now + 90_000, ...over });
  return id;
}

async function completed(outputs: Partial<Record<StageName, unknown>> = asking, at: TestApi = api): Promise<string> {
  const id = await accept(at);
  await runStages(at.records, id, outputs);
  return id;
}

async function clarify(
  id: string,
  body: unknown,
  { key = 'ann', headers = {}, at = api }: { key?: string; headers?: Record<string, string>; at?: TestApi } = {},
): Promise<Response> {
  return await at.fetch(`/v1/classifications/${id}/clarify`, {
    method: 'POST',
    key,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

const resourceOf = async (answer: Response) => (await answer.json()) as Resource & { links: Record<string, string> };
const read = async (id: string) => await resourceOf(await api.fetch(`/v1/classifications/${id}`));
const pick = { item_id: pet.id };

/** Plays the workers from rag on. */
async function finish(id: string): Promise<void> {
  for (const stage of ['rag', 'llm'] as const) {
    const run = { id, stage, token: `run-${stage}` };
    expect(await api.records.start(run)).toMatchObject({ outcome: 'started' });
    await api.records.finish(run, { output: plain[stage], durationMs: 5, cached: false });
  }
}

test('a request that asks says so, with its options, although it is completed', async () => {
  const resource = await read(await completed());
  expect(resource).toMatchObject({ status: 'completed', clarification: { ...question, answered_by: null } });
  expect(resource.guidance).not.toBeNull();
  expect((await read(await completed(plain))).clarification).toBeNull();
});

test('an answer is a new request that goes on at rag, without a vision call, and the first one names it', async () => {
  const first = await completed();
  const before = await read(first);
  const answer = await clarify(first, pick);
  expect(answer.status).toBe(202);
  const accepted = await resourceOf(answer);
  expect(answer.headers.get('location')).toBe(`/v1/classifications/${accepted.id}`);
  expect(accepted).toMatchObject({ clarifies: first, clarification: null, question: '이거요', status: 'queued' });
  expect(accepted.links).toMatchObject({ events: `/v1/classifications/${accepted.id}/events` });
  expect(accepted.stages.map(({ status }) => status)).toEqual(['completed', 'completed', 'pending', 'pending']);
  expect(accepted.usage.vision).toEqual({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
  expect(await read(accepted.id)).toMatchObject({ stages: accepted.stages, usage: accepted.usage });
  const record = await api.records.get(accepted.id);
  expect(record?.request).toMatchObject({ owner: 'ann', priority: 'batch', clarifies: { of: first, itemId: pet.id } });
  expect(Number(record?.request.deadlineAt) - Number(record?.request.createdAt)).toBe(90_000);
  const order = api.orders.find(({ id }) => id === accepted.id);
  expect(order).toMatchObject({ from: 'rag', priority: 'batch' });

  expect(await read(first)).toEqual({ ...before, clarification: { ...question, answered_by: accepted.id } });
  await finish(accepted.id);
  expect(await read(accepted.id)).toMatchObject({ status: 'completed', cached: false, clarifies: first });
});

test('its events begin at its beginning, and a client may wait for the end', async () => {
  const first = await completed();
  const waiting = clarify(first, pick, { headers: { prefer: 'wait=20' } });
  const id = await answeredBy(first);
  const stream = await api.fetch(`/v1/classifications/${id}/events`);
  await finish(id);
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ id, status: 'completed' });
  const types = [...(await stream.text()).matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
  const stage = ['stage.started', 'stage.completed'];
  expect(types).toEqual(['accepted', ...stage, ...stage, 'completed']);
});

async function answeredBy(first: string): Promise<string> {
  for (;;) {
    const named = (await read(first)).clarification?.answered_by;
    if (named) return named;
  }
}

describe('the same answer', () => {
  test('at once, twenty times, is one request and one flow', async () => {
    const first = await completed();
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await clarify(first, pick)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const ids = new Set(await Promise.all(answers.map(async (answer) => (await resourceOf(answer)).id)));
    expect(ids.size).toBe(1);
    expect(api.queued.filter((id) => ids.has(id))).toHaveLength(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(19);
  });

  test('after a crash between its record and its flow is the same request, which the sweeper finds', async () => {
    const crashing = await startTestApi({ addFlow: async () => await Promise.reject(new Error('the process died')) });
    const first = await completed(asking, crashing);
    const { id } = await resourceOf(await clarify(first, pick, { at: crashing }));
    const again = await clarify(first, pick, { at: crashing });
    expect((await resourceOf(again)).id).toBe(id);
    expect(await crashing.records.unqueued(Date.now() + 1000, 10)).toContain(id);
    await crashing.close();
  });

  test('in other spaces or case is the same words', async () => {
    const first = await completed();
    const one = await resourceOf(await clarify(first, { text: ' Milk  Carton ' }));
    const two = await resourceOf(await clarify(first, { text: 'milk carton' }));
    expect(two.id).toBe(one.id);
    expect((await api.records.get(one.id))?.request.clarifies).toEqual({ of: first, text: 'Milk  Carton' });
  });

  test('is a new try where the request that it made failed', async () => {
    const first = await completed();
    const failed = await resourceOf(await clarify(first, pick));
    await api.records.fail(failed.id, failure('model_unavailable', 'Away.', 'llm'));
    const tries = await Promise.all([1, 2, 3].map(async () => await resourceOf(await clarify(first, pick))));
    expect(new Set(tries.map(({ id }) => id)).size).toBe(1);
    expect(tries[0]?.id).not.toBe(failed.id);
    expect((await read(first)).clarification?.answered_by).toBe(tries[0]?.id);
  });
});

test('however often an answer came to nothing, it has one claim, and one question finds its latest request', async () => {
  const first = await completed();
  const claims = async () => (await api.redis.keys(`${api.records.keys.idempotency('ann', '').slice(0, -64)}*`)).length;
  const before = await claims();
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    const { id } = await resourceOf(await clarify(first, pick));
    await api.fetch(`/v1/classifications/${id}`, { method: 'DELETE' });
    ids.push(id);
  }
  expect(new Set(ids).size).toBe(5);
  expect(await claims()).toBe(before + 1);
  const latest = await resourceOf(await clarify(first, pick));
  expect((await resourceOf(await clarify(first, pick))).id).toBe(latest.id);
});

test('an answer whose request is past its deadline, and that nobody has closed, is a new try too', async () => {
  const first = await completed();
  const { id } = await resourceOf(await clarify(first, pick));
  const record = await api.records.get(id);
  if (!record) throw new Error('no record');
  const overdue = JSON.stringify({ ...record.request, deadlineAt: Date.now() - 1 });
  await api.redis.hset(api.records.keys.record(id), { request: overdue, deadlineAt: Date.now() - 1 });
  const again = await resourceOf(await clarify(first, pick));
  expect(again.id).not.toBe(id);
  expect(again.status).toBe('queued');
  expect(await read(id)).toMatchObject({ status: 'failed', error: { code: 'deadline_exceeded' } });
});

test('another answer is another request, and the first one names the latest', async () => {
  const first = await completed();
  const one = await resourceOf(await clarify(first, pick));
  const two = await resourceOf(await clarify(first, { text: '우유팩' }));
  expect(two.id).not.toBe(one.id);
  expect((await read(first)).clarification?.answered_by).toBe(two.id);
  await clarify(first, pick);
  expect((await read(first)).clarification?.answered_by).toBe(one.id);
});

test('a request at rest is answered too, and one that is put to rest keeps who answered it', async () => {
  const archiver = createArchiver(api.records);
  const [before, after] = [await completed(), await completed()];
  expect(await archiver.archive([before])).toMatchObject({ archived: 1 });
  const events = await api.records.events(before, 0);
  const answers = [await resourceOf(await clarify(before, pick)), await resourceOf(await clarify(after, pick))];
  expect(await archiver.archive([before, after])).toMatchObject({ archived: 1, archived_before: 1 });
  expect((await read(before)).clarification?.answered_by).toBe(answers[0]?.id);
  expect((await read(after)).clarification?.answered_by).toBe(answers[1]?.id);
  expect(await api.records.events(before, 0)).toEqual(events);
});

test('a completed request that asked nothing can be corrected, and so can an answer', async () => {
  const first = await completed(plain);
  const second = await resourceOf(await clarify(first, { item_id: other.id }));
  expect(second.clarifies).toBe(first);
  await finish(second.id);
  const third = await resourceOf(await clarify(second.id, pick));
  expect(third).toMatchObject({ clarifies: second.id, usage: second.usage });
});

test('what is said of a request that is no completed one of the owner’s is refused with its reason', async () => {
  const first = await completed();
  const codeOf = async (answer: Response) => ({ status: answer.status, ...((await answer.json()) as object) });
  expect(await codeOf(await clarify(first, pick, { key: 'bob' }))).toMatchObject({ status: 404, code: 'not_found' });
  expect(await codeOf(await clarify(newRequestId(), pick))).toMatchObject({ status: 404 });
  expect(await codeOf(await clarify(first, pick, { key: 'annReads' }))).toMatchObject({ status: 403 });
  const open = await accept();
  expect(await codeOf(await clarify(open, pick))).toMatchObject({ status: 409, code: 'not_ended' });
  await api.records.cancel(open);
  expect(await codeOf(await clarify(open, pick))).toMatchObject({ status: 409, code: 'not_completed' });
  const gone = await completed();
  await api.redis.hdel(api.records.keys.record(gone), 'vision.output', 'vision.status');
  expect(await codeOf(await clarify(gone, pick))).toMatchObject({ status: 410, code: 'classification_gone' });
  expect(await codeOf(await clarify(first, { item_id: 'no-such-thing' }))).toMatchObject({
    status: 422,
    code: 'item_unknown',
    detail: expect.stringContaining('/v1/items'),
  });
  const wrong = [{}, { ...pick, text: 'a' }, { text: ' ' }, { text: 'x'.repeat(201) }, { item: pet.id }];
  for (const body of wrong) expect(await codeOf(await clarify(first, body))).toMatchObject({ status: 400 });
  expect((await read(first)).clarification?.answered_by).toBeNull();
});

test('an answer is refused where it would be late or the spending cap is reached, but not one that is known', async () => {
  let late = false;
  const completion = { waitMs: 600_000, p50Ms: 600_000, p95Ms: 600_000 };
  const asked: unknown[] = [];
  const told = async ({ from }: Way = {}) => {
    asked.push(from);
    return await Promise.resolve(late ? { position: 9, completion } : { position: 0, completion: null });
  };
  let exhausted: 'day' | null = null;
  const busy = await startTestApi({
    forecast: { ofLast: told, ofNext: async (_owner, _priority, way) => await told(way) },
    spent: async () => await Promise.resolve({ exhausted, reopensAt: Date.now() + 1000 } as never),
  });
  const first = await completed(asking, busy);
  const { id } = await resourceOf(await clarify(first, pick, { at: busy }));
  late = true;
  const refused = await clarify(first, { text: '병' }, { at: busy });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: 'overloaded' });
  expect(new Set(asked)).toEqual(new Set(['rag']));
  late = false;
  exhausted = 'day';
  expect(await (await clarify(first, { text: '병' }, { at: busy })).json()).toMatchObject({
    code: 'spending_cap_reached',
  });
  expect((await resourceOf(await clarify(first, pick, { at: busy }))).id).toBe(id);

  // A new try is refused as well, and changes nothing.
  exhausted = null;
  const other = await resourceOf(await clarify(first, { text: '캔' }, { at: busy }));
  await busy.records.cancel(id);
  for (const refusal of [() => (late = true), () => (exhausted = 'day')]) {
    refusal();
    expect((await clarify(first, pick, { at: busy })).status).toBeGreaterThanOrEqual(400);
    late = false;
    exhausted = null;
  }
  expect((await busy.records.get(first))?.answeredBy).toBe(other.id);
  await busy.close();
});
