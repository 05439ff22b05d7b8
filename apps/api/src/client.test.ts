// The client that people are given, against the API that it is for.
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { catalogue, type PublicItems } from '@bunri/knowledge';
import { createClient, type Client, type Deletion, type Items, type Place, type Queues } from '@bunri/client';
import { drawSamplePhoto, startTcpProxy } from '@bunri/testkit';
import type * as z from 'zod';
import type { Deletion as DeletionAnswer } from './deletion.ts';
import type { Place as PlaceAnswer } from './forecast.ts';
import type { queuesSchema } from './routes/queues.ts';
import { sampleOutputs } from './sample-outputs.ts';
import { runStages, startTestApi, type TestApi } from './test-api.ts';

const apiKey = 'ann.secret-of-ann';
const [pet] = catalogue.items;
if (!pet) throw new Error('the catalogue is empty');
let api: TestApi;
let client: Client;
let photo: Buffer;
beforeAll(async () => {
  [api, photo] = await Promise.all([startTestApi(), drawSamplePhoto()]);
  client = createClient({ baseUrl: api.url, apiKey });
});
afterAll(async () => {
  await api.close();
});

/** Compiles only where the first fits the second: what the API answers is what the client says that it does. */
type Answers<Said, _Answered extends Said> = Said;
type Checked = [
  Answers<Items, PublicItems>,
  Answers<Queues, z.infer<typeof queuesSchema>>,
  Answers<Place, PlaceAnswer>,
  Answers<Deletion, DeletionAnswer>,
];

test('a photo is sent, followed over a broken connection, and answered', async () => {
  const proxy = await startTcpProxy({ targetPort: Number(new URL(api.url).port) });
  try {
    // It comes back sooner than it is told to.
    const delay = async () => await setTimeout(20);
    const shaky = createClient({ baseUrl: `http://127.0.0.1:${proxy.port}`, apiKey, patienceMs: 20_000, delay });
    const { resource, finished } = await shaky.submit(photo, {
      question: '뚜껑은요?',
      metadata: { shelf: '7' },
      priority: 'interactive',
      deadlineS: 90,
    });
    expect({ finished, ...resource }).toMatchObject({ finished: false, status: 'queued', metadata: { shelf: '7' } });
    const seen: number[] = [];
    let answer: string | undefined;
    for await (const { seq, type, resource: last } of shaky.events(resource.id)) {
      seen.push(seq);
      if (seq === 1) {
        // Resets the stream, and refuses the next connections for a moment.
        await proxy.setMode('refuse');
        await runStages(api.records, resource.id, sampleOutputs());
        await proxy.setMode('pass');
      }
      if (type === 'completed') answer = last?.guidance?.answer;
    }
    expect(answer).toBe(sampleOutputs().llm.guidance.answer);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
    expect((await shaky.wait(resource.id)).status).toBe('completed');
  } finally {
    await proxy.stop();
  }
});

test('the same key is the same request, and another question with it is refused', async () => {
  const first = await client.submit(photo, { idempotencyKey: 'row-1', question: '하나' });
  const again = await client.submit(photo, { idempotencyKey: 'row-1', question: '하나' });
  expect(again).toMatchObject({ replayed: true, resource: { id: first.resource.id } });
  await expect(client.submit(photo, { idempotencyKey: 'row-1', question: '둘' })).rejects.toMatchObject({
    code: 'idempotency_conflict',
    status: 422,
    requestId: expect.any(String),
  });
});

test('an answer is judged, corrected, listed and removed', async () => {
  const { resource } = await client.submit(photo, { question: '이건요?' });
  await runStages(api.records, resource.id, sampleOutputs());
  await client.feedback(resource.id, { helpful: true });
  const corrected = await client.clarify(resource.id, { itemId: pet.id });
  expect(corrected.resource.clarifies).toBe(resource.id);
  expect((await client.cancel(corrected.resource.id)).status).toBe('canceled');
  const listed: string[] = [];
  for await (const { id } of client.list({ pageSize: 1, filters: { status: 'completed' } })) listed.push(id);
  expect(listed).toContain(resource.id);
  expect(listed).not.toContain(corrected.resource.id);
  expect((await client.delete(resource.id))?.record).toEqual({ removed: true, reason: null });
  await expect(client.get(resource.id)).rejects.toMatchObject({ code: 'not_found' });
  const open = await client.submit(photo, { question: '저건요?' });
  expect((await client.delete(open.resource.id))?.id).toBe(open.resource.id);
});

test('a photo that was put into the bucket is submitted by its id, and the catalogue and the queues are read', async () => {
  const { uploadId } = await client.upload(new Blob([Uint8Array.from(photo)], { type: 'image/jpeg' }));
  expect((await client.submit({ uploadId }, { models: ['gpt-5'] })).resource.models).toEqual(['gpt-5']);
  const inForm = await client.submit(photo, { models: ['gpt-5'], question: '이 모델요' });
  expect(inForm.resource.models).toEqual(['gpt-5']);
  const { items } = await client.items({ q: pet.names.ko, locale: 'ko', limit: 3 });
  expect(items[0]?.id).toBe(pet.id);
  expect((await client.queues()).queues.map(({ name }) => name)).toContain('vision');
  await expect(createClient({ baseUrl: api.url }).queues()).rejects.toMatchObject({ code: 'unauthorized' });
  const checked: Checked | undefined = undefined;
  expect(checked).toBeUndefined();
});
