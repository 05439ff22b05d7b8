import { afterEach, expect, test } from '@jest/globals';
import type { Request } from '@bunri/queue-contracts';
import { createArchiver } from './archive.ts';
import { clarificationKey, planClarification } from './clarify.ts';
import { newRequestId } from './enqueue.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { flowOrder, toResource, type RequestRecord } from './record.ts';
import { planReplay } from './replay.ts';
import { mayKeepRequest } from './request-cache.ts';

afterEach(closePipelines);

const said = { itemId: 'milk-carton' };
const when = { now: 1_000, deadlineMs: 60_000 };

function planned(original: RequestRecord, id = newRequestId()) {
  const plan = planClarification(original, said, { id, ...when, now: Date.now() });
  if (plan.outcome === 'refused') throw new Error(plan.reason);
  return plan;
}

test('what the person says is a request that runs from rag on, and the one it goes on from stays as it is', async () => {
  const { submit, ended, records, flows, runs } = await startPipeline();
  const { record: first } = await ended(await submit());
  const { request, outputs: given } = planned(first);
  await records.accept(request, { outputs: given });
  const accepted = await records.get(request.id);
  if (!accepted) throw new Error('no record');
  expect(flowOrder(accepted)).toMatchObject({ from: 'rag' });
  await flows.add(flowOrder(accepted));
  const { record, types } = await ended(request.id);
  expect(record).toMatchObject({ status: 'completed', request: { clarifies: { of: first.request.id, ...said } } });
  expect(types.slice(0, 2)).toEqual(['accepted', 'stage.started']);
  expect(runs).toEqual({ preprocess: 1, vision: 1, rag: 2, llm: 2 });
  expect(toResource(record)).toMatchObject({ cached: false, usage: { vision: { cost_usd: 0 } } });
  expect(await records.get(first.request.id)).toEqual({ ...first, answeredBy: request.id });
});

test('the first request is named although it is put to rest in the middle of the answer', async () => {
  const { submit, ended, records, redis } = await startPipeline();
  const { record: first } = await ended(await submit());
  const { request, outputs: given } = planned(first);
  const slow = redis.duplicate();
  const xrange = slow.xrange.bind(slow);
  // After the archiver has read the record's fields, and before it packs them.
  const answered = async (...range: Parameters<typeof xrange>) => {
    await records.accept(request, { outputs: given });
    return await xrange(...range);
  };
  slow.xrange = answered as typeof xrange;
  expect(await createArchiver({ redis: slow, keys: records.keys }).archive([first.request.id])).toMatchObject({
    archived: 1,
  });
  slow.disconnect();
  expect(await records.get(first.request.id)).toMatchObject({ answeredBy: request.id, status: 'completed' });
});

test('from a first request that is past its retention nothing goes on, and nothing of it comes back', async () => {
  const { submit, ended, records, redis } = await startPipeline();
  const { record: first } = await ended(await submit());
  const { request, outputs: given } = planned(first);
  await records.remove(first.request.id, 'ann');
  expect(await records.accept(request, { outputs: given })).toMatchObject({ outcome: 'unstored' });
  expect(await redis.exists(records.keys.record(first.request.id))).toBe(0);
});

test('a replay of an answer goes on from the same, and does not become the answer', async () => {
  const { submit, ended, records, flows } = await startPipeline();
  const { record: first } = await ended(await submit());
  const answer = planned(first);
  await records.accept(answer.request, { outputs: answer.outputs });
  const accepted = await records.get(answer.request.id);
  if (accepted) await flows.add(flowOrder(accepted));
  const { record } = await ended(answer.request.id);
  const replay = planReplay(record, {}, { id: newRequestId(), now: Date.now() });
  if (replay.outcome === 'refused') throw new Error(replay.reason);
  expect(replay.request.clarifies).toEqual(answer.request.clarifies);
  await records.accept(replay.request, { outputs: replay.outputs });
  expect(await records.get(first.request.id)).toMatchObject({ answeredBy: answer.request.id });
  const again = planned({ ...record, request: replay.request });
  expect(again.request).not.toHaveProperty('replay');
});

test('only a completed request with a classification can be gone on from', async () => {
  const { submit, ended } = await startPipeline();
  const { record } = await ended(await submit());
  const plan = (over: Partial<RequestRecord>) =>
    planClarification({ ...record, ...over }, said, { id: newRequestId(), ...when });
  expect(plan({ status: 'running' })).toEqual({ outcome: 'refused', reason: 'open' });
  expect(plan({ status: 'failed' })).toEqual({ outcome: 'refused', reason: 'unanswered' });
  expect(plan({ status: 'canceled' })).toEqual({ outcome: 'refused', reason: 'unanswered' });
  const unseen = { ...record.stages, vision: { ...record.stages.vision, status: 'pending', output: null } } as const;
  expect(plan({ stages: unseen })).toEqual({ outcome: 'refused', reason: 'nothing_seen' });
  expect(plan({})).toMatchObject({
    outcome: 'planned',
    outputs: { vision: { classification: outputs.vision.classification } },
  });
});

test('an answer has one key, and no other answer has it', () => {
  const of = newRequestId();
  const keyOf = (...given: Parameters<typeof clarificationKey>) => clarificationKey(...given).key;
  expect(keyOf(of, { text: ' A  b' })).toBe(keyOf(of, { text: 'a B' }));
  const others = [keyOf(of, { text: 'can' }), keyOf(of, { itemId: 'can' }), keyOf(newRequestId(), { itemId: 'can' })];
  expect(new Set(others).size).toBe(others.length);
  for (const key of others) expect(key).toMatch(/\n/);
});

test('only the answer to a photo and its question alone may be kept for others', () => {
  const id = newRequestId();
  const plain: Request = {
    id,
    owner: 'ann',
    question: 'How?',
    locale: 'en',
    source: { kind: 'upload', key: 'uploads/x', sha256: 'b'.repeat(64), sizeBytes: 10 },
    priority: 'interactive',
    createdAt: 0,
    deadlineAt: 60_000,
  };
  expect(mayKeepRequest(plain)).toBe(true);
  expect(mayKeepRequest({ ...plain, clarifies: { of: id, text: 'can' } })).toBe(false);
  expect(mayKeepRequest({ ...plain, replay: { of: id } })).toBe(false);
  expect(mayKeepRequest({ ...plain, source: { kind: 'url', url: 'https://example.com/a.jpg' } })).toBe(false);
});
