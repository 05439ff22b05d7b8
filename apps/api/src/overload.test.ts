import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { stageOrder } from '@bunri/queue-contracts';
import {
  announceSlots,
  createFlowQueue,
  createLogger,
  createMetrics,
  createModelBudget,
  newRequestId,
  objectKeys,
  type SlotsAnnouncement,
} from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import type { ProblemDocument } from './problem.ts';
import { form, startTestApi, type TestApi } from './test-api.ts';
import type { TestApiOptions } from './test-api-options.ts';
import { bearer } from './test-keys.ts';

const path = '/v1/classifications';
const log = createLogger({ app: 'test', level: 'error', silent: true });
let photo: Buffer;
let api: TestApi;
let announced: SlotsAnnouncement[] = [];
beforeAll(async () => {
  photo = await drawSamplePhoto();
});
beforeEach(async () => {
  api = await startBusy();
});
afterEach(async () => {
  await stopWorkers();
  await api.close();
});

async function stopWorkers(): Promise<void> {
  await Promise.all(announced.splice(0).map(async (slots) => await slots.close()));
}

/** As many slots a stage, and nothing to do yet. */
async function startBusy(options: TestApiOptions = {}, slots = 1): Promise<TestApi> {
  const busy = await startTestApi(options);
  const { redis, prefix } = busy;
  announced.push(...stageOrder.map((stage) => announceSlots({ redis, prefix, stage, slots, log })));
  return busy;
}

/** Sixty requests that came before: at 4 s in the one slot of vision, four minutes. */
async function fill(of: TestApi = api): Promise<void> {
  const flows = createFlowQueue({ redis: of.redis, prefix: of.prefix });
  const deadlineAt = Date.now() + 600_000;
  for (let n = 0; n < 60; n += 1) await flows.add({ id: newRequestId(), deadlineAt, priority: 'interactive' });
  await flows.close();
}

interface Sending {
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly key?: string;
}

const post = async (body: FormData, { query = '', headers = {}, key = 'ann' }: Sending = {}) =>
  await api.fetch(`${path}${query}`, { method: 'POST', body, headers, key });
const problemOf = async (answer: Response) => ({
  status: answer.status,
  code: ((await answer.json()) as ProblemDocument).code,
});
const overloaded = { status: 503, code: 'overloaded' };

const boundary = 'test-boundary';
const head = `--${boundary}\r\ncontent-disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n`;
const sizeBytes = 9 * 2 ** 20;

function openUpload(query = '', headers: Record<string, string> = {}): ClientRequest {
  const { hostname, port } = new URL(api.url);
  const request = httpRequest({
    hostname,
    port,
    path: `${path}${query}`,
    method: 'POST',
    headers: {
      ...bearer('ann'),
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': sizeBytes,
      ...headers,
    },
  });
  request.on('error', () => undefined);
  return request;
}

async function answerTo(request: ClientRequest): Promise<{ answer: IncomingMessage; problem: ProblemDocument }> {
  const answer = await new Promise<IncomingMessage>((resolve) => request.once('response', resolve));
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
  return { answer, problem: JSON.parse(text) as ProblemDocument };
}

test('an upload of 9 MB that would be too late is refused while all but its first kilobytes are unsent', async () => {
  await fill();
  const request = openUpload();
  request.write(head);
  request.write(Buffer.alloc(16 * 2 ** 10, 7));
  // The other 9 MB never come: the answer does not wait for them.
  const { answer, problem } = await answerTo(request);
  request.destroy();
  expect(answer.statusCode).toBe(503);
  expect(problem).toMatchObject({ code: 'overloaded', type: 'urn:bunri:problem:overloaded' });
  expect(problem.detail).toMatch(/Send the request again in \d+ seconds.*later deadline or priority=batch/);
  // 240 s of line, and at 95 % not much more than 6 s of its own, less the two minutes that it has.
  const retryAfterS = Number(answer.headers['retry-after']);
  expect(retryAfterS).toBeGreaterThan(120);
  expect(retryAfterS).toBeLessThan(180);
  expect(await api.objects()).toEqual([]);
  expect(await api.redis.exists(api.records.keys.owner('ann'))).toBe(0);
  const refused = await api.metrics.requestsRefused.get();
  expect(refused.values).toMatchObject([{ value: 1, labels: { reason: 'overloaded' } }]);
});

test('a client that asks before it sends is refused without a byte of its body, and told to go on otherwise', async () => {
  await fill();
  let told = 0;
  const ask = (query: string) => {
    const request = openUpload(query, { expect: '100-continue' });
    request.once('continue', () => (told += 1));
    request.flushHeaders();
    return request;
  };
  const refused = ask('?priority=interactive&deadline=100');
  const { answer, problem } = await answerTo(refused);
  expect(problem.code).toBe('overloaded');
  expect(answer.headers.connection).toBe('close');
  expect(told).toBe(0);

  const admitted = ask('?priority=batch');
  await new Promise((resolve) => admitted.once('continue', resolve));
  admitted.destroy();
  expect(told).toBe(1);
});

describe('with four minutes of work waiting', () => {
  beforeEach(async () => {
    await fill();
  });

  const passing: [string, FormDataOrder, string][] = [
    ['batch in the query', { fields: {}, order: 'first' }, '?priority=batch'],
    ['batch in front of the photo', { fields: { priority: 'batch' }, order: 'last' }, ''],
    ['a late deadline in the query', { fields: {}, order: 'first' }, '?deadline=600'],
    ['a late deadline in front of the photo', { fields: { deadline: '600' }, order: 'last' }, ''],
  ];
  interface FormDataOrder {
    fields: Record<string, string>;
    order: 'first' | 'last';
  }
  test.each(passing)('%s passes', async (_name, { fields, order }, query) => {
    const answer = await post(form(photo, fields, order), { query });
    expect(answer.status).toBe(202);
  });

  const refused: [string, FormDataOrder, string][] = [
    ['a photo alone', { fields: {}, order: 'first' }, ''],
    ['a short deadline in front of the photo', { fields: { deadline: '60' }, order: 'last' }, ''],
    ['batch with a deadline of a minute', { fields: { deadline: '60' }, order: 'last' }, '?priority=batch'],
    ['a short deadline behind the photo', { fields: { deadline: '60' }, order: 'first' }, '?priority=batch'],
  ];
  test.each(refused)('%s is refused, and nothing stays', async (_name, { fields, order }, query) => {
    expect(await problemOf(await post(form(photo, fields, order), { query }))).toEqual(overloaded);
    expect(await api.objects()).toEqual([]);
  });

  test('JSON is refused, too', async () => {
    const body = JSON.stringify({ image_url: 'https://example.com/a.jpg' });
    const headers = { 'content-type': 'application/json' };
    expect(await problemOf(await api.fetch(path, { method: 'POST', body, headers }))).toEqual(overloaded);
    const batch = await api.fetch(`${path}?priority=batch`, { method: 'POST', body, headers });
    expect(batch.status).toBe(202);
  });

  test.each([
    ['priority', { priority: 'batch' }, '?priority=interactive'],
    ['deadline', { deadline: '500' }, '?deadline=600'],
  ])('a %s that contradicts the query is refused as invalid', async (field, fields, query) => {
    const answer = await post(form(photo, fields, 'last'), { query });
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as ProblemDocument).errors?.map((error) => error.field)).toEqual([field]);
    expect(await api.objects()).toEqual([]);
  });

  test('the queues tell it: live slots, and what a request would meet that is sent now', async () => {
    const answer = (await (await api.fetch('/v1/queues')).json()) as {
      queues: { name: string; slots: number; workers: number }[];
      estimates: Record<string, { position: number; p50_seconds: number; p95_seconds: number }>;
    };
    expect(answer.queues.map(({ slots, workers }) => ({ slots, workers }))).toEqual(
      stageOrder.map(() => ({ slots: 1, workers: 1 })),
    );
    const { interactive, batch } = answer.estimates;
    expect(interactive?.position).toBe(60);
    expect(interactive?.p50_seconds).toBeCloseTo(245.85, 1);
    expect(interactive?.p95_seconds).toBeGreaterThan(245.85);
    expect(batch?.position).toBe(60);
  });
});

test('a request whose key is known is answered however much there is to do; a new key is refused', async () => {
  let clock = Date.now();
  await stopWorkers();
  await api.close();
  api = await startBusy({ now: () => clock });
  const headers = { 'idempotency-key': 'before the rush' };
  const first = (await (await post(form(photo), { headers })).json()) as { id: string };
  await fill();
  // What was counted before the rush is remembered for a moment.
  clock += 1_000;
  const again = await post(form(photo), { headers });
  expect(again.status).toBe(202);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(await again.json()).toMatchObject({ id: first.id });
  const others = [
    await post(form(photo), { headers: { 'idempotency-key': 'in the rush' } }),
    await post(form(photo), { headers, key: 'bob' }),
  ];
  for (const answer of others) expect(await problemOf(answer)).toEqual(overloaded);
  expect(await api.objects()).toEqual([objectKeys.upload(first.id)]);
});

test('an accepted request is told its place and when it will be done', async () => {
  const places: { position: number; estimated_completion: { p50: string; p95: string } }[] = [];
  for (let n = 0; n < 3; n += 1) {
    const before = Date.now();
    const place = (await (await post(form(photo))).json()) as (typeof places)[number];
    places.push(place);
    // 5.85 s on an idle system, and 4 s more for everyone in front.
    const at = Date.parse(place.estimated_completion.p50) - (5_850 + n * 4_000);
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThan(Date.now() + 1_000);
  }
  expect(places.map(({ position }) => position)).toEqual([0, 1, 2]);
  const [{ estimated_completion: first } = { estimated_completion: { p50: '', p95: '' } }] = places;
  expect(Date.parse(first.p95)).toBeGreaterThan(Date.parse(first.p50));
});

test('what an idle system could not do in time either is not called overload', async () => {
  expect((await post(form(photo), { query: '?deadline=5' })).status).toBe(202);
});

test('a line that only the provider’s limit makes long is refused, however many slots are free', async () => {
  await stopWorkers();
  await api.close();
  api = await startBusy({}, 100);
  await fill();
  expect((await post(form(photo))).status).toBe(202);
  const { redis, prefix } = api;
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const limits = { tokensPerMinute: 30_000 };
  // The first model of vision, as its workers name it: seven calls a minute, about, and sixty that wait.
  const budget = createModelBudget({ redis, prefix, model: 'primary:gpt-5', limits, metrics });
  await budget.admit({ tokens: 4_361, signal: new AbortController().signal });
  const late = async () => (await problemOf(await post(form(photo)))).code === 'overloaded';
  // What was counted before is remembered for a second.
  const until = Date.now() + 10_000;
  while (!(await late()) && Date.now() < until);
  expect(await late()).toBe(true);
});

test('without a live worker nobody can tell, and nobody is refused', async () => {
  await stopWorkers();
  await fill();
  const answer = await post(form(photo));
  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ position: 60, estimated_completion: null });
});

test('an estimate that fails refuses nobody, and breaks nothing', async () => {
  const fail = async () => await Promise.reject(new Error('no estimate today'));
  const blind = await startBusy({
    forecast: { ofLast: fail, ofNext: fail, ofTurn: fail, ofCounted: fail, ofQueued: fail },
  });
  await fill(blind);
  const answer = await blind.fetch(path, { method: 'POST', body: form(photo) });
  expect(answer.status).toBe(202);
  expect(await answer.json()).toMatchObject({ position: null, estimated_completion: null });
  await stopWorkers();
  await blind.close();
});
