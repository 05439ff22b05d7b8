import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Resource } from '@bunri/queue-contracts';
import { drawSamplePhoto, until } from '@bunri/testkit';
import { form, runStages, startTestApi, type TestApi } from '../test-api.ts';
import { sampleOutputs } from '../sample-outputs.ts';
import { standingSchema } from '../submitted-answer.ts';

const path = '/v1/classifications';
let clock = Date.parse('2026-03-01T12:00:00Z');
let api: TestApi;
let photo: Buffer;
beforeAll(async () => {
  api = await startTestApi({ now: () => clock });
  photo = await drawSamplePhoto();
});
afterAll(async () => {
  await api.close();
});

type Accepted = Resource & { links: { self: string; events: string; cancel: string } };

async function post(
  body: FormData | object,
  { headers = {}, key = 'ann' }: { headers?: Record<string, string>; key?: string } = {},
): Promise<Response> {
  if (body instanceof FormData) return await api.fetch(path, { method: 'POST', body, headers, key });
  const json = { ...headers, 'content-type': 'application/json' };
  return await api.fetch(path, { method: 'POST', body: JSON.stringify(body), headers: json, key });
}

async function accepted(fields: Record<string, string> = {}): Promise<Accepted> {
  return (await (await post(form(photo, fields))).json()) as Accepted;
}

const read = async (id: string) => (await (await api.fetch(`${path}/${id}`)).json()) as Resource;

describe('submitting', () => {
  test('an accepted request is queued, and its answer says where to look', async () => {
    const answer = await post(form(photo));
    expect(answer.status).toBe(202);
    const resource = (await answer.json()) as Accepted;
    expect(resource).toMatchObject({ status: 'queued', locale: 'ko', question: '이 물건은 어떻게 분리배출하나요?' });
    expect(Date.parse(resource.deadline_at) - Date.parse(resource.created_at)).toBe(120_000);
    const self = `${path}/${resource.id}`;
    expect(resource.links).toEqual({ self, events: `${self}/events`, cancel: self });
    expect(answer.headers.get('location')).toBe(self);
    expect(api.queued).toContain(resource.id);
    expect(await read(resource.id)).toMatchObject({ id: resource.id, status: 'queued' });
  });

  test('the question in English, the deadline and the priority are the client’s', async () => {
    const resource = await accepted({ locale: 'en', deadline: '5' });
    expect(resource.question).toBe('How do I dispose of this item?');
    expect(Date.parse(resource.deadline_at) - Date.parse(resource.created_at)).toBe(5_000);
    const batch = await accepted({ priority: 'batch' });
    expect(Date.parse(batch.deadline_at) - Date.parse(batch.created_at)).toBe(24 * 3600 * 1000);
  });

  test('the time that its photo takes to be stored is not its own', async () => {
    let storedAt = 0;
    const slow = await startTestApi({
      now: () => clock,
      putUpload: async (put) => {
        await put();
        clock += 6_000;
        storedAt = clock;
      },
    });
    const answer = await slow.fetch(path, { method: 'POST', body: form(photo, { deadline: '5' }) });
    expect(answer.status).toBe(202);
    const resource = (await answer.json()) as Accepted;
    expect(Date.parse(resource.created_at)).toBe(storedAt);
    expect(Date.parse(resource.deadline_at)).toBe(storedAt + 5_000);
    await slow.close();
  });

  test('an image_url is handed on to be fetched', async () => {
    const answer = await post({ image_url: 'https://example.com/a.jpg', question: '이거?' });
    expect(answer.status).toBe(202);
    const { id } = (await answer.json()) as Accepted;
    const record = await api.records.get(id);
    expect(record?.request.source).toEqual({ kind: 'url', url: 'https://example.com/a.jpg' });
  });

  test('models, a region, metadata and a webhook_url are kept with the request, from a form as from JSON', async () => {
    const metadata = { ticket: '4711', 'a.b': '한국어' };
    const webhook_url = 'https://example.com/hook';
    const form1 = form(photo, { region: ' 서울 강남구 ', metadata: JSON.stringify(metadata), webhook_url });
    form1.append('models', 'gpt-5');
    const json = { image_url: 'https://example.com/a.jpg', models: ['gpt-4o'], region: '부산', metadata, webhook_url };
    for (const [body, model, region] of [
      [form1, 'gpt-5', '서울 강남구'],
      [json, 'gpt-4o', '부산'],
    ] as const) {
      const answer = await post(body);
      expect(answer.status).toBe(202);
      const resource = (await answer.json()) as Accepted;
      expect(resource).toMatchObject({ models: [model], metadata, webhook_url, region: { asked: region } });
      const { request } = (await api.records.get(resource.id)) ?? {};
      expect(request).toMatchObject({ models: [model], region, metadata, webhookUrl: webhook_url });
    }
  });

  test('models in a form may be repeated or separated by commas', async () => {
    const [repeated, separated] = [form(photo), form(photo, { models: 'gpt-5, gpt-4o' })];
    for (const model of ['gpt-5', 'gpt-4o']) repeated.append('models', model);
    for (const body of [repeated, separated]) {
      const answer = await post(body);
      expect(answer.status).toBe(422);
      // Both names were read: one model of the API is all that may be asked.
      expect(await answer.json()).toMatchObject({
        code: 'model_unknown',
        detail: expect.stringContaining('one model'),
      });
    }
  });

  test.each([
    [{ models: 'no-such-model' }, 422, 'model_unknown'],
    [{ models: 'a b' }, 400, 'invalid_request'],
    [{ metadata: '{' }, 400, 'invalid_request'],
    [{ metadata: '{"a":1}' }, 400, 'invalid_request'],
    [
      { metadata: JSON.stringify(Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, 'x']))) },
      400,
      'invalid_request',
    ],
    [{ region: 'x'.repeat(65) }, 400, 'invalid_request'],
    [{ webhook_url: 'https://10.0.0.1/hook' }, 422, 'webhook_url_forbidden'],
    [{ webhook_url: 'http://example.com/hook' }, 422, 'webhook_url_forbidden'],
  ])('a form with %j is refused, and its photo does not stay', async (fields, status, code) => {
    const before = await api.objects();
    const answer = await post(form(photo, fields));
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code });
    expect(await api.objects()).toEqual(before);
  });

  test('an image_url into a private network is refused', async () => {
    const answer = await post({ image_url: 'https://169.254.169.254/latest/meta-data' });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ code: 'image_url_forbidden' });
  });

  test('a body that is neither a form nor JSON is refused, and so are broken and oversized JSON', async () => {
    const send = async (type: string, body: string) =>
      await api.fetch(path, { method: 'POST', body, headers: { 'content-type': type } });
    const answers = [
      await send('text/plain', 'hello'),
      await send('application/json', '{'),
      await send('application/json', JSON.stringify({ question: 'a'.repeat(70_000) })),
    ];
    expect(answers.map(({ status }) => status)).toEqual([415, 400, 413]);
  });

  test('a request whose flow cannot be added is accepted all the same: the sweeper will add it', async () => {
    const addFlow = async () => await Promise.reject(new Error('no flow today'));
    const other = await startTestApi({ addFlow });
    const answer = await other.fetch(path, { method: 'POST', body: form(photo) });
    expect(answer.status).toBe(202);
    const { id } = (await answer.json()) as Accepted;
    expect(await other.records.unqueued(Date.now(), 10)).toEqual([id]);
    await other.close();
  });
});

describe('Prefer: wait', () => {
  test('answers with the finished request as soon as it has ended', async () => {
    const before = api.queued.length;
    const answer = post(form(photo), { headers: { prefer: 'respond-async, wait=30' } });
    await until(() => api.queued.length > before);
    await runStages(api.records, api.queued.at(-1) ?? '', sampleOutputs());
    const { status, headers } = await answer;
    expect(status).toBe(200);
    expect(headers.get('preference-applied')).toBe('wait=30');
    expect(await (await answer).json()).toMatchObject({ status: 'completed' });
  });

  test('holds nothing of the photo while it waits', async () => {
    const before = api.queued.length;
    const answer = post(form(photo), { headers: { prefer: 'wait=60' } });
    await until(() => api.queued.length > before);
    expect(api.photoBudget.takenBytes).toBe(0);
    await runStages(api.records, api.queued.at(-1) ?? '', sampleOutputs());
    expect((await answer).status).toBe(200);
  });

  test('a request that is queued is read with its place as it is now, and without one once it is in work', async () => {
    const models: unknown[] = [];
    const other = await startTestApi({
      forecast: {
        ofQueued: async (_priority, _turn, way) => {
          models.push(way?.models);
          return await Promise.resolve({ position: 4, completion: { waitMs: 1, p50Ms: 2_000, p95Ms: 3_000 } });
        },
      },
    });
    const asked = form(photo);
    asked.append('models', 'gpt-4o');
    const sent = await other.fetch(path, { method: 'POST', body: asked });
    const { id } = (await sent.json()) as { id: string };
    const standing = async () =>
      standingSchema.parse(await (await other.fetch(`${path}/${id}`, { key: 'annReads' })).json());
    expect(await standing()).toMatchObject({ status: 'queued', position: 4, estimated_completion: expect.anything() });
    expect(models).toEqual([['gpt-4o']]);
    await other.records.start({ id, stage: 'preprocess', token: 'run' });
    expect(await standing()).not.toHaveProperty('position');
    await other.close();
  });

  test('tells the place that the request has after the wait, not the one from before', async () => {
    const place = (position: number) => async () => await Promise.resolve({ position, completion: null });
    const other = await startTestApi({ forecast: { ofCounted: place(7), ofQueued: place(3) } });
    const positionAfter = async (prefer: string) => {
      const answer = await other.fetch(path, { method: 'POST', body: form(photo), headers: { prefer } });
      return ((await answer.json()) as { position: number }).position;
    };
    expect(await positionAfter('wait=0')).toBe(7);
    expect(await positionAfter('wait=1')).toBe(3);
    await other.close();
  });

  test('answers 202 when the time is over', async () => {
    const answer = await post(form(photo), { headers: { prefer: 'wait=1' } });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBeNull();
  });

  test('ends with the deadline, so that no client waits for what cannot come', async () => {
    const before = api.queued.length;
    const answer = post(form(photo, { deadline: '5' }), { headers: { prefer: 'wait=60' } });
    await until(() => api.queued.length > before);
    clock += 5_000;
    await api.fetch(`${path}/${api.queued.at(-1)}`);
    expect((await answer).status).toBe(200);
    expect(await (await answer).json()).toMatchObject({ status: 'failed', error: { code: 'deadline_exceeded' } });
  });
});

describe('reading', () => {
  test.each(['req_', 'x', `req_${'0'.repeat(32)}`, '%E0%A4%A'])('the id %s is not found', async (id) => {
    const answer = await api.fetch(`${path}/${id}`);
    expect([400, 404]).toContain(answer.status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  test('a request past its deadline is never shown open, even if nobody has closed it yet', async () => {
    const { id } = await accepted({ deadline: '5' });
    clock += 5_000;
    expect(await read(id)).toMatchObject({ status: 'failed', error: { code: 'deadline_exceeded', retryable: true } });
  });
});

test('incident: reading another owner’s result', async () => {
  const open = await accepted({ question: 'what only ann knows' });
  const done = await accepted({ question: 'what only ann knows' });
  await runStages(api.records, done.id, sampleOutputs());
  const told = async (id: string) =>
    await Promise.all(
      [
        ['GET', ''],
        ['GET', '/events'],
        ['DELETE', ''],
      ].map(async ([method = '', suffix]) => {
        const answer = await api.fetch(`${path}/${id}${suffix}`, { method, key: 'bob' });
        const { request_id: _own, ...problem } = (await answer.json()) as Record<string, unknown>;
        return [answer.status, problem];
      }),
    );
  const ofNobody = await told(`${done.id.slice(0, -12)}${'0'.repeat(12)}`);
  expect(ofNobody).toMatchObject(ofNobody.map(() => [404, { code: 'not_found' }]));
  // Word for word what is told of a request that never was.
  for (const { id } of [open, done]) expect(await told(id)).toEqual(ofNobody);
  const list = await api.fetch(path, { key: 'bob' });
  expect(await list.json()).toEqual({ data: [], next_cursor: null });
  expect((await read(open.id)).status).toBe('queued');
  expect((await read(done.id)).status).toBe('completed');
});

test('while Redis has no room, a new request is refused before its upload is taken, and reading goes on', async () => {
  const full = await startTestApi({ memory: { hasRoom: async () => await Promise.resolve(false) } });
  const answer = await full.fetch(path, { method: 'POST', body: form(photo) });
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('60');
  expect(await answer.json()).toMatchObject({ code: 'service_unavailable', detail: expect.stringContaining('full') });
  expect(await full.objects()).toEqual([]);
  expect((await full.fetch(path)).status).toBe(200);
  await full.close();
});
