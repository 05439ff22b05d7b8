import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Request, Resource } from '@bunri/queue-contracts';
import {
  createLogger,
  createMetrics,
  newRequestId,
  parseRecord,
  sha256,
  storeRequest,
  type AcceptCarry,
  type RecordStore,
  type RequestRecord,
  type ResultCache,
  type Storage,
} from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import { createRecordReader } from './record-reader.ts';
import { sampleOutputs } from './sample-outputs.ts';
import { AcceptanceUnknown, submit } from './submit.ts';
import { form, models, runStages, startTestApi, type TestApi } from './test-api.ts';

const request: Request = {
  id: newRequestId(),
  owner: 'ann',
  question: '이거?',
  locale: 'ko',
  source: { kind: 'url', url: 'https://example.com/a.jpg' },
  priority: 'interactive',
  createdAt: 0,
  deadlineAt: 120_000,
};
const unknownPlace = async () => await Promise.resolve({ position: 0, completion: null });
const outage = new Error('the connection broke');

/** A store whose acceptance ends as told. */
function submitWith(
  store: { accept: RecordStore['accept']; get: () => Promise<RequestRecord | null> },
  carry: AcceptCarry = async () => await Promise.resolve(null),
) {
  const queued: string[] = [];
  const begins: unknown[] = [];
  const records = store as unknown as RecordStore;
  const submitted = submit(
    {
      records,
      reader: createRecordReader({ records, now: () => 0 }),
      flows: {
        add: async ({ id, from }) => {
          queued.push(id);
          begins.push(from);
        },
        along: () => carry,
        close: async () => undefined,
      },
      forecast: { ofTurn: unknownPlace, ofCounted: unknownPlace },
      storage: {} as Storage,
      cache: {} as ResultCache,
      models: { vision: 'v', llm: 'l' },
      metrics: createMetrics({ app: 'api', processMetrics: false }),
      log: createLogger({ app: 'api', level: 'error', silent: true }),
    },
    request,
  );
  return { submitted, queued, begins };
}

const accepted = () => Promise.resolve(parseRecord({ request: JSON.stringify(request), status: 'queued', seq: '1' }));

test('a request whose acceptance was carried out, but not heard of, is queued and answered', async () => {
  const { submitted, queued } = submitWith({ accept: async () => await Promise.reject(outage), get: accepted });
  expect(await submitted).toMatchObject({ record: { status: 'queued' }, replayed: false });
  expect(queued).toEqual([request.id]);
});

test('a request that was not accepted is an error of its own, and nothing is queued', async () => {
  const get = () => Promise.resolve(null);
  const { submitted, queued } = submitWith({ accept: async () => await Promise.reject(outage), get });
  await expect(submitted).rejects.toBe(outage);
  expect(queued).toEqual([]);
});

test('where nobody can tell, the client is told so: a record may refer to its upload', async () => {
  const fail = async () => await Promise.reject(outage);
  await expect(submitWith({ accept: fail, get: fail }).submitted).rejects.toBeInstanceOf(AcceptanceUnknown);
});

test('a request whose flow went along with its acceptance is not queued again', async () => {
  const { id } = request;
  const accept: RecordStore['accept'] = async (_request, extra) => {
    const carried = await extra?.flow?.(['record'], []);
    return { outcome: 'accepted', id, turn: 0, before: [0, 0, 0, 0], queued: carried?.queued ?? false };
  };
  const alone = submitWith({ accept, get: accepted });
  expect(await alone.submitted).toMatchObject({ record: { status: 'queued' } });
  expect(alone.queued).toEqual([id]);
  const taken = async () => await Promise.resolve({ record: [], queued: true });
  const along = submitWith({ accept, get: accepted }, taken);
  expect(await along.submitted).toMatchObject({ record: { status: 'queued' } });
  expect(along.queued).toEqual([]);
});

test('a command that the connection repeated is no replay', async () => {
  const accept = async () =>
    await Promise.resolve({ outcome: 'existing' as const, id: request.id, turn: 0, before: null, queued: false });
  const { submitted, queued } = submitWith({ accept, get: accepted });
  expect(await submitted).toMatchObject({ replayed: false });
  expect(queued).toEqual([request.id]);
});

test('the photo of a request that was accepted, and cannot be read a moment later, stays', async () => {
  const accept = async () =>
    await Promise.resolve({ outcome: 'existing' as const, id: request.id, turn: 0, before: null, queued: true });
  const get = async () => await Promise.reject(outage);
  await expect(submitWith({ accept, get }).submitted).rejects.toBeInstanceOf(AcceptanceUnknown);
  const kept = accepted();
  const reads = [kept, Promise.reject(outage)];
  const getOnce = async () => (await reads.shift()) ?? null;
  const lost = submitWith({ accept: async () => await Promise.reject(outage), get: getOnce });
  await expect(lost.submitted).rejects.toBeInstanceOf(AcceptanceUnknown);
});

test.each([
  [
    'repeated',
    async () =>
      await Promise.resolve({ outcome: 'existing', id: request.id, turn: 0, before: null, queued: false } as const),
  ],
  ['not heard of', async () => await Promise.reject(outage)],
])('a request that went on while its acceptance was %s is told and queued as it is now', async (_how, accept) => {
  const fields = { status: 'running', seq: '3', 'preprocess.status': 'completed', 'preprocess.output': '{}' };
  const get = async () => await Promise.resolve(parseRecord({ request: JSON.stringify(request), ...fields }));
  const { submitted, begins } = submitWith({ accept, get });
  expect(await submitted).toMatchObject({ record: { status: 'running' }, replayed: false });
  expect(begins).toEqual(['vision']);
});

test('where the first request of an idempotency key is erased in that moment, the client is told to send it again', async () => {
  const existing = { outcome: 'existing' as const, id: newRequestId(), turn: 0, before: null, queued: false };
  const get = async () => await Promise.resolve(null);
  const { submitted, queued } = submitWith({ accept: async () => await Promise.resolve(existing), get });
  await expect(submitted).rejects.toMatchObject({ code: 'service_unavailable', headers: { 'retry-after': '1' } });
  expect(queued).toEqual([]);
});

let api: TestApi;
let photo: Buffer;
beforeAll(async () => {
  api = await startTestApi();
  photo = await drawSamplePhoto();
});
afterEach(() => {
  // Whatever became of its photo.
  if (api.photoBudget.takenBytes > 0) throw new Error('an answered request holds memory');
});
afterAll(async () => {
  await api.close();
});

async function post(
  body: FormData | object,
  { headers = {}, key = 'ann' }: { headers?: Record<string, string>; key?: string } = {},
): Promise<Response> {
  const path = '/v1/classifications';
  if (body instanceof FormData) return await api.fetch(path, { method: 'POST', body, headers, key });
  const json = { ...headers, 'content-type': 'application/json' };
  return await api.fetch(path, { method: 'POST', body: JSON.stringify(body), headers: json, key });
}

describe('an answer that is known already', () => {
  const question = '뚜껑은 어떻게 하나요?';
  const outputs = sampleOutputs(question);
  const parts = () => ({
    sha256: sha256(photo),
    question,
    locale: 'ko' as const,
    visionModel: models.vision,
    llmModel: models.llm,
  });

  test('is given at once, costs nothing, and nothing is queued or stored', async () => {
    await api.storage.put(outputs.preprocess.key, new Uint8Array(4), 'image/jpeg');
    await storeRequest(api.cache, parts(), outputs);
    const before = await api.objects();
    const answer = await post(form(photo, { question: `  ${question.replace(' ', '   ')} ` }));
    expect(answer.status).toBe(200);
    const resource = (await answer.json()) as Resource;
    expect(resource).toMatchObject({ status: 'completed', cached: true, guidance: outputs.llm.guidance });
    expect(resource.usage.vision).toEqual({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
    expect(resource.usage.llm).toEqual({ input_tokens: 0, output_tokens: 0, cost_usd: 0 });
    expect(api.queued).not.toContain(resource.id);
    expect(await api.objects()).toEqual(before);
  });

  test('is not given for another question, another photo or another language', async () => {
    const others = [
      form(photo, { question: '라벨은요?' }),
      form(await drawSamplePhoto({ seed: 2 }), { question }),
      form(photo, { question, locale: 'en' }),
    ];
    for (const body of others) expect((await post(body)).status).toBe(202);
  });

  test('is not given when its rules have changed or its image is gone', async () => {
    const rag = { ...outputs.rag, catalogue_version: 'of an earlier release' };
    await storeRequest(api.cache, parts(), { ...outputs, rag });
    expect((await post(form(photo, { question }))).status).toBe(202);
    await storeRequest(api.cache, parts(), outputs);
    await api.storage.remove([outputs.preprocess.key]);
    expect((await post(form(photo, { question }))).status).toBe(202);
  });
});

describe('an idempotency key', () => {
  test('fifty requests at once with one key are one request, one flow and one upload', async () => {
    const before = (await api.objects()).length;
    const headers = { 'idempotency-key': 'fifty' };
    const answers = await Promise.all(Array.from({ length: 50 }, async () => await post(form(photo), { headers })));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 202));
    const resources = (await Promise.all(answers.map(async (answer) => await answer.json()))) as Resource[];
    const ids = new Set(resources.map(({ id }) => id));
    expect(ids.size).toBe(1);
    expect(api.queued.filter((id) => ids.has(id))).toHaveLength(1);
    expect((await api.objects()).length).toBe(before + 1);
    const replays = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true');
    expect(replays).toHaveLength(49);
  });

  test('replays the request as it stands now', async () => {
    const headers = { 'idempotency-key': 'stands' };
    const first = (await (await post(form(photo), { headers })).json()) as Resource;
    await runStages(api.records, first.id, sampleOutputs());
    const again = await post(form(photo), { headers });
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({ id: first.id, status: 'completed' });
  });

  test('is refused for another photo, question or URL, and the upload does not stay', async () => {
    const headers = { 'idempotency-key': 'other' };
    await post(form(photo, { question: 'a' }), { headers });
    const before = await api.objects();
    const others = [
      form(photo, { question: 'b' }),
      form(await drawSamplePhoto({ seed: 3 }), { question: 'a' }),
      { image_url: 'https://example.com/a.jpg', question: 'a' },
    ];
    for (const body of others) {
      const answer = await post(body, { headers });
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({ code: 'idempotency_conflict' });
    }
    expect(await api.objects()).toEqual(before);
  });

  test('belongs to its owner: another owner’s same key is another request', async () => {
    const headers = { 'idempotency-key': 'mine' };
    const ann = (await (await post(form(photo), { headers })).json()) as Resource;
    const bob = (await (await post(form(photo), { headers, key: 'bob' })).json()) as Resource;
    expect(bob.id).not.toBe(ann.id);
  });

  test('is refused when it is longer than 255 characters, and the upload does not stay', async () => {
    const before = await api.objects();
    const answer = await post(form(photo), { headers: { 'idempotency-key': 'x'.repeat(256) } });
    expect(answer.status).toBe(400);
    expect(await api.objects()).toEqual(before);
  });
});
