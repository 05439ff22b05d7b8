import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failure, type Resource } from '@bunri/queue-contracts';
import { createArchiver, createImageReferences, newRequestId, objectKeys, sha256 } from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import type { Deletion } from '../deletion.ts';
import { sampleOutputs } from '../sample-outputs.ts';
import { form, runStages, startTestApi, type TestApi } from '../test-api.ts';

// Others may keep the machine busy.
const path = '/v1/classifications';
const json = { 'content-type': 'application/json' };
let api: TestApi;
let photo: Buffer;
let breaks = false;
beforeAll(async () => {
  const removeObjects = async (remove: () => Promise<void>) => {
    if (breaks) throw new Error('the process died');
    await remove();
  };
  api = await startTestApi({ removeObjects });
  photo = await drawSamplePhoto();
});
afterAll(async () => {
  await api.close();
});

async function submit(headers: Record<string, string> = {}): Promise<string> {
  const answer = await api.fetch(path, { method: 'POST', body: form(photo), headers });
  expect(answer.status).toBe(202);
  return ((await answer.json()) as Resource).id;
}

let pictures = 0;
/** What the stages say of a picture of its own, which is in the bucket. */
async function newOutputs() {
  pictures += 1;
  const outputs = sampleOutputs();
  const hash = sha256(`picture ${pictures}`);
  const preprocess = { ...outputs.preprocess, sha256: hash, key: objectKeys.image(hash) };
  await api.storage.put(preprocess.key, new Uint8Array(4), 'image/jpeg');
  return { ...outputs, preprocess };
}

async function completed(outputs: Awaited<ReturnType<typeof newOutputs>>, headers = {}): Promise<string> {
  const id = await submit(headers);
  await runStages(api.records, id, outputs);
  return id;
}

const cancel = async (id: string, key = 'ann') => await api.fetch(`${path}/${id}/cancel`, { method: 'POST', key });
const remove = async (id: string, key = 'ann') => await api.fetch(`${path}/${id}`, { method: 'DELETE', key });
const deletionOf = async (answer: Response) => {
  expect(answer.status).toBe(200);
  return (await answer.json()) as Deletion;
};
const removed = { removed: true, reason: null };
const none = { removed: false, reason: 'none' };
const others = { removed: false, reason: 'other_requests' };

describe('canceling', () => {
  test.each(['POST …/cancel', 'DELETE'])('by %s ends an open request and tells every worker', async (how) => {
    const id = await submit();
    const subscriber = api.redis.duplicate({ enableOfflineQueue: true });
    await subscriber.subscribe(api.records.keys.control);
    const told = new Promise((resolve) => subscriber.once('message', (_channel, message) => resolve(message)));
    const answer = await (how === 'DELETE' ? remove(id) : cancel(id));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id, status: 'canceled' });
    expect(await told).toBe(`canceled ${id}`);
    subscriber.disconnect();
  });

  test('again is answered alike, and what has ended otherwise is told so and stays', async () => {
    const id = await submit();
    const first = await (await cancel(id)).json();
    const again = await cancel(id);
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(first);
    const done = await completed(await newOutputs());
    const refused = await cancel(done);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ code: 'already_ended' });
    expect(await api.records.get(done)).toMatchObject({ status: 'completed' });
  });

  test('and deleting are not for another owner, nor for a key that only reads', async () => {
    const id = await submit();
    for (const end of [cancel, remove]) {
      expect((await end(id, 'bob')).status).toBe(404);
      expect((await end(id, 'annReads')).status).toBe(403);
    }
    expect(await api.records.get(id)).toMatchObject({ status: 'queued' });
  });
});

describe('deleting what has ended', () => {
  test('removes all of it, says so, and frees the idempotency key; the second time there is nothing', async () => {
    const outputs = await newOutputs();
    const headers = { 'idempotency-key': 'once' };
    const id = await completed(outputs, headers);
    await api.cache.set('vision', sha256('a result'), 'seen', { image: outputs.preprocess.sha256 });
    const told = await api.fetch(`${path}/${id}/feedback`, {
      method: 'POST',
      body: '{"helpful":true}',
      headers: json,
    });
    expect(told.status).toBe(200);
    expect(await api.objects()).toEqual(expect.arrayContaining([`uploads/${id}`, outputs.preprocess.key]));

    const deletion = await deletionOf(await remove(id));
    const all = { record: removed, events: removed, feedback: removed, upload: removed, image: removed };
    expect(deletion).toEqual({
      ...all,
      id,
      status: 'deleted',
      dead_letter: none,
      idempotency_key: removed,
      results: removed,
    });
    const left = await api.redis.keys(`${api.prefix}*`);
    expect(left.filter((key) => key.includes(`:request:${id}`))).toEqual([]);
    expect(await api.redis.exists(api.records.keys.cache('vision', sha256('a result')))).toBe(0);
    expect((await api.objects()).filter((key) => key.includes(id) || key === outputs.preprocess.key)).toEqual([]);
    const list = (await (await api.fetch(path)).json()) as { data: Resource[] };
    expect(list.data.map((resource) => resource.id)).not.toContain(id);
    expect((await remove(id)).status).toBe(404);
    expect((await api.fetch(`${path}/${id}`)).status).toBe(404);
    expect(await submit(headers)).not.toBe(id);
  });

  test('keeps the picture while another request refers to it, whoever that belongs to', async () => {
    const outputs = await newOutputs();
    const [mine, hers] = [await completed(outputs), await completed(outputs)];
    expect(await deletionOf(await remove(mine))).toMatchObject({ image: others, results: others, upload: removed });
    expect(await api.objects()).toContain(outputs.preprocess.key);
    expect(await deletionOf(await remove(hers))).toMatchObject({ image: removed });
    expect(await api.objects()).not.toContain(outputs.preprocess.key);
  });

  test('keeps what a request that goes on from it refers to', async () => {
    const outputs = await newOutputs();
    const first = await completed(outputs);
    const answer = await api.fetch(`${path}/${first}/clarify`, {
      method: 'POST',
      body: '{"text":"우유팩"}',
      headers: json,
    });
    const second = ((await answer.json()) as Resource).id;
    expect(await deletionOf(await remove(first))).toMatchObject({ image: others, upload: removed });
    await cancel(second);
    expect(await deletionOf(await remove(second))).toMatchObject({ image: removed, upload: others });
  });

  test('works on a request at rest, a canceled one and a dead letter, which is none any more', async () => {
    const archived = await completed(await newOutputs(), { 'idempotency-key': 'at rest' });
    await createArchiver(api.records).archive([archived]);
    const all = { image: removed, idempotency_key: removed };
    expect(await deletionOf(await remove(archived))).toMatchObject(all);
    const canceled = await submit();
    await cancel(canceled);
    expect(await deletionOf(await remove(canceled))).toMatchObject({ upload: removed, image: none, results: none });
    const dead = await submit();
    await api.records.fail(dead, failure('model_unavailable', 'Away.'));
    expect(await deletionOf(await remove(dead))).toMatchObject({ dead_letter: removed });
    expect(await api.records.deadLetters(100)).toEqual([]);
  });

  test('that broke off before its last step is finished by the next', async () => {
    const outputs = await newOutputs();
    const id = await completed(outputs);
    breaks = true;
    expect((await remove(id)).status).toBe(500);
    breaks = false;
    expect((await api.fetch(`${path}/${id}`)).status).toBe(200);
    expect(await deletionOf(await remove(id))).toMatchObject({ image: removed, upload: removed });
    expect(await api.objects()).not.toContain(outputs.preprocess.key);
  });

  test('tells of a photo that a worker had in hand that something of it may be left', async () => {
    const id = await submit();
    await api.records.start({ id, stage: 'preprocess', token: 'a run' });
    await cancel(id);
    const unfinished = { removed: false, reason: 'unfinished' };
    expect(await deletionOf(await remove(id))).toMatchObject({
      upload: removed,
      image: unfinished,
      results: unfinished,
    });
  });

  test('lets nobody go on from it meanwhile', async () => {
    const id = await completed(await newOutputs());
    await createImageReferences(api.records).mark(id);
    const send = async (at: string, body: object, key: string) =>
      await api.fetch(at, { method: 'POST', body: JSON.stringify(body), headers: json, key });
    const before = api.queued.length;
    expect((await send(`${path}/${id}/clarify`, { text: '우유팩' }, 'ann')).status).toBe(404);
    expect((await send(`/v1/admin/classifications/${id}/replay`, {}, 'root')).status).toBe(404);
    expect(api.queued).toHaveLength(before);
    expect(await deletionOf(await remove(id))).toMatchObject({ image: removed });
  });

  test('at once, ten times, comes to one end', async () => {
    const id = await completed(await newOutputs());
    const answers = await Promise.all(Array.from({ length: 10 }, async () => await remove(id)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(new Set(statuses)).toEqual(new Set([200, 404]));
  });
});

test('a row whose batch has yet to take its result is not removed, since it would be sent and paid for again', async () => {
  const id = newRequestId();
  const batch = { id: `batch_${'1'.repeat(32)}`, row: 7 };
  const now = Date.now();
  const source = { kind: 'url' as const, url: 'https://photos.example.com/one.jpg' };
  const asked = { question: '?', locale: 'ko' as const, priority: 'batch' as const, source, batch };
  await api.records.accept({ id, owner: 'ann', createdAt: now, deadlineAt: now + 60_000, ...asked });
  await runStages(api.records, id, await newOutputs());
  const flight = `${api.prefix}:batch:${batch.id}:flight`;
  await api.redis.hset(flight, String(batch.row), id);

  const refused = await remove(id);
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ code: 'batch_state_conflict' });
  expect(await api.records.get(id)).not.toBeNull();

  await api.redis.del(flight);
  expect((await remove(id)).status).toBe(200);
});
