import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { batchDeletionSchema, type Batch, type BatchCheck, type BatchLine } from '@bunri/queue-contracts';
import { writeZip } from '@bunri/batches/zip-fixture';
import { drawSamplePhoto } from '@bunri/testkit';
import { createBatchFeeder } from '../batch-feeder.ts';
import { sampleOutputs } from '../sample-outputs.ts';
import { runStages, startTestApi, type TestApi } from '../test-api.ts';
import type { ProblemDocument } from '../problem.ts';

let api: TestApi;
const outputs = sampleOutputs();
let woken: string[] = [];
beforeAll(async () => {
  api = await startTestApi({
    wakeBatch: async (id) => {
      woken.push(id);
      await Promise.resolve();
    },
  });
});
afterEach(() => {
  woken = [];
});
afterAll(async () => {
  await api.close();
});

async function send(
  body: string | FormData | Uint8Array<ArrayBuffer>,
  { type = 'text/csv', query = '', key = 'ann', idempotencyKey = '' } = {},
) {
  return await api.fetch(`/v1/batches${query}`, {
    method: 'POST',
    key,
    body,
    headers: {
      ...(type ? { 'content-type': type } : {}),
      ...(idempotencyKey ? { 'idempotency-key': idempotencyKey } : {}),
    },
  });
}

const csvOf = (...urls: string[]) => `image_url,question\n${urls.map((url) => `${url},\n`).join('')}`;
const url = (name: string) => `https://photos.example/${name}.jpg`;

async function created(...given: Parameters<typeof send>): Promise<Batch> {
  const response = await send(...given);
  expect(response.status).toBe(202);
  return (await response.json()) as Batch;
}

/** Brings the batch forward and plays the workers until it rests. */
async function runToRest(id: string): Promise<Batch> {
  const look = createBatchFeeder(api.feeding);
  while ((await look(id)) !== null) {
    for (const requestId of (await api.batches.flight(id)).values()) await runStages(api.records, requestId, outputs);
  }
  return (await (await api.fetch(`/v1/batches/${id}`)).json()) as Batch;
}

test('a batch of CSV runs to its end, and its results are there as JSON Lines and as CSV, for its owner alone', async () => {
  const batch = await created(csvOf(url('a'), url('b'), url('c')), { query: '?metadata={"shop":"1"}&locale=en' });
  expect(batch).toMatchObject({ status: 'queued', counts: { total: 3, pending: 3 }, metadata: { shop: '1' } });
  expect(batch.cost.estimated_usd).toBeGreaterThan(0);
  expect(woken).toEqual([batch.id]);
  expect(await runToRest(batch.id)).toMatchObject({ status: 'completed', progress: 1, counts: { completed: 3 } });

  const results = await api.fetch(batch.links.results);
  expect(results.headers.get('content-type')).toContain('application/x-ndjson');
  const lines = (await results.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as BatchLine);
  expect(lines.map(({ row, image }) => [row, image])).toEqual([
    [1, url('a')],
    [2, url('b')],
    [3, url('c')],
  ]);
  expect(lines[0]?.classification).toMatchObject({
    locale: 'en',
    question: 'How do I dispose of this item?',
    metadata: { shop: '1' },
    batch: { id: batch.id, row: 1 },
  });
  const csv = await (await api.fetch(batch.links.results, { headers: { accept: 'text/csv' } })).text();
  expect(csv.split('\r\n')[0]).toContain('row,idempotency_key,image,status');
  expect(csv.trim().split('\r\n')).toHaveLength(4);
  expect(await (await api.fetch(batch.links.errors)).text()).toBe('');

  for (const path of [batch.links.self, batch.links.results, batch.links.errors]) {
    expect((await api.fetch(path, { key: 'bob' })).status).toBe(404);
  }
  for (const path of [batch.links.cancel, batch.links.pause, batch.links.resume]) {
    expect((await api.fetch(path, { key: 'bob', method: 'POST' })).status).toBe(404);
  }
  const listed = (await (await api.fetch('/v1/batches', { key: 'bob' })).json()) as { data: Batch[] };
  expect(listed.data).toEqual([]);
});

test('one bad row refuses all of them, with an error file; on_error=skip starts the good ones', async () => {
  const before = await api.objects();
  const csv = csvOf(url('a'), 'http://127.0.0.1/x.jpg', '=cmd()', url('d'));
  const refused = await send(csv);
  expect(refused.status).toBe(422);
  const problem = (await refused.json()) as ProblemDocument;
  expect(problem).toMatchObject({ code: 'batch_invalid' });
  expect(problem.errors?.map(({ row, field }) => [row, field])).toEqual([
    [2, 'image_url'],
    [3, 'image_url'],
  ]);
  const [, errorFile = ''] = /<(.+)>; rel="describedby"/.exec(refused.headers.get('link') ?? '') ?? [];
  const lines = await (await api.fetch(errorFile, { headers: { accept: 'text/csv' } })).text();
  // What a spreadsheet would take for a formula is none any more.
  expect(lines).toContain("3,,'=cmd(),invalid");
  expect(woken).toEqual([]);
  const added = (await api.objects()).filter((key) => !before.includes(key));
  expect(added).toEqual([expect.stringContaining('/results/')]);

  const batch = await created(csv, { query: '?on_error=skip' });
  expect(await runToRest(batch.id)).toMatchObject({
    status: 'completed',
    counts: { total: 4, completed: 2, invalid: 2 },
  });
  const errors = (await (await api.fetch(batch.links.errors)).text()).trim().split('\n');
  expect(errors.map((line) => (JSON.parse(line) as BatchLine).row)).toEqual([2, 3]);
});

test('a dry run tells the rows, what is wrong and what it may cost, and leaves nothing', async () => {
  const before = await api.objects();
  const response = await send(csvOf(url('a'), 'nonsense'), { query: '?validate_only=true' });
  expect(response.status).toBe(200);
  const check = (await response.json()) as BatchCheck;
  expect(check).toMatchObject({ valid: false, rows: 2, invalid: 1, errors: [{ row: 2, field: 'image_url' }] });
  expect(check.estimated_usd).toBeGreaterThan(0);
  expect(await api.objects()).toEqual(before);
});

test('the same Idempotency-Key and input is the same batch; another input is refused; a refused one frees the key', async () => {
  const first = await created(csvOf(url('i')), { idempotencyKey: 'once' });
  const again = await send(csvOf(url('i')), { idempotencyKey: 'once' });
  expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
  expect(((await again.json()) as Batch).id).toBe(first.id);
  expect((await send(csvOf(url('j')), { idempotencyKey: 'once' })).status).toBe(422);
  expect((await send(csvOf('nonsense'), { idempotencyKey: 'free' })).status).toBe(422);
  expect((await send(csvOf(url('k')), { idempotencyKey: 'free' })).status).toBe(202);
});

test('a form may hold the file; what is no input is refused', async () => {
  const form = new FormData();
  form.set('file', new Blob([`{"image_url":"${url('f')}"}\n`]), 'rows.jsonl');
  const batch = await created(form, { type: '' });
  expect(batch.counts.total).toBe(1);
  const empty = new FormData();
  empty.set('note', 'no file');
  expect((await send(empty, { type: '' })).status).toBe(400);
  expect((await send('{}', { type: 'application/json' })).status).toBe(415);
  expect((await send('', {})).status).toBe(400);
  expect((await send(csvOf(url('a')), { query: '?colour=red' })).status).toBe(400);
  expect((await send(csvOf(url('a')), { key: 'annReads' })).status).toBe(403);
});

test('what a row asks for besides the usual model counts in the estimate, and in what the cap lets start', async () => {
  const estimateOf = async (query: string) =>
    ((await (await send(csvOf(url('e')), { query: `?validate_only=true${query}` })).json()) as BatchCheck)
      .estimated_usd;
  const [usual, local] = [await estimateOf(''), await estimateOf('&models=local')];
  expect(local).toBeGreaterThan(0);
  expect(local).toBeLessThan(usual ?? 0);
  const dear = `image_url,models\n${url('e')},\n${url('e')},gpt-5;local\n`;
  const check = (await (await send(dear, { query: '?models=local&validate_only=true' })).json()) as BatchCheck;
  expect(check.estimated_usd).toBeCloseTo((usual ?? 0) + (local ?? 0), 5);
});

test('what is refused behind the file of a form leaves no object', async () => {
  const before = await api.objects();
  const form = new FormData();
  form.set('file', new Blob([csvOf(url('f'))]), 'rows.csv');
  form.set('note', 'options stand in the query');
  expect((await send(form, { type: '' })).status).toBe(400);
  expect(await api.objects()).toEqual(before);
});

test('a photo of an archive is the upload of its row, and a bad archive leaves no object', async () => {
  const photo = await drawSamplePhoto({ width: 64, height: 48 });
  const zip = writeZip([{ name: 'bottle.jpg', bytes: photo }]);
  const batch = await created(new Uint8Array(zip), { type: 'application/zip' });
  const look = createBatchFeeder(api.feeding);
  await look(batch.id);
  const [requestId = ''] = (await api.batches.flight(batch.id)).values();
  const record = await api.records.get(requestId);
  const source = record?.request.source;
  if (source?.kind !== 'upload') throw new Error('the row has no upload');
  expect(Buffer.from((await api.storage.getBytes(source.key)) ?? []).equals(photo)).toBe(true);
  await runToRest(batch.id);

  const before = await api.objects();
  const bad = writeZip([
    { name: 'bottle.jpg', bytes: photo },
    { name: 'notes.txt', bytes: Buffer.from('no photo') },
  ]);
  expect((await send(new Uint8Array(bad), { type: 'application/zip' })).status).toBe(422);
  const left = (await api.objects()).filter((key) => !before.includes(key));
  expect(left).toEqual([expect.stringMatching(/\/results\//)]);
});

test('a batch is deleted by its owner alone, with its requests and objects; sent again, the same DELETE tells what was removed', async () => {
  const before = await api.objects();
  const batch = await created(csvOf(url('x'), url('y'), url('z')), { idempotencyKey: 'to-delete' });
  await runToRest(batch.id);
  const other = await created(csvOf(url('o')));
  const look = createBatchFeeder(api.feeding);
  const del = async (id: string, key = 'ann') => {
    const response = await api.fetch(`/v1/batches/${id}`, { method: 'DELETE', key });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  expect((await del(batch.id, 'bob')).status).toBe(404);
  expect((await del(batch.id, 'annReads')).status).toBe(403);
  const ids = (await (await api.fetch(batch.links.results)).text())
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as BatchLine).classification?.id ?? '');
  woken = [];
  expect(await del(batch.id)).toMatchObject({ status: 202, body: { id: batch.id, status: 'deleting' } });
  expect((await del(batch.id)).status).toBe(202);
  expect(woken).toEqual([batch.id, batch.id]);
  for (const path of [batch.links.self, batch.links.results]) expect((await api.fetch(path)).status).toBe(404);
  for (const path of [batch.links.cancel, batch.links.pause, batch.links.resume])
    expect((await api.fetch(path, { method: 'POST' })).status).toBe(404);
  const listed = async () =>
    ((await (await api.fetch('/v1/batches?limit=100')).json()) as { data: Batch[] }).data.map(({ id }) => id);
  expect(await listed()).not.toContain(batch.id);
  while ((await look(batch.id)) !== null);
  const receipt = { id: batch.id, status: 'deleted', requests_removed: 3, in_flight: 0 };
  expect(await del(batch.id)).toMatchObject({ status: 200, body: receipt });
  expect(batchDeletionSchema.parse((await del(batch.id)).body).objects_removed).toBeGreaterThan(0);
  expect((await del(batch.id, 'bob')).status).toBe(404);
  for (const id of ids) expect((await api.fetch(`/v1/classifications/${id}`)).status).toBe(404);
  const left = (await api.objects()).filter((key) => !before.includes(key));
  expect(left.every((key) => key.includes(other.id))).toBe(true);
  expect(await listed()).toContain(other.id);
  // Its key is free again.
  expect((await created(csvOf(url('x'), url('y'), url('z')), { idempotencyKey: 'to-delete' })).id).not.toBe(batch.id);
});

test('a row whose request was deleted shows no answer in the results of its batch any more', async () => {
  const batch = await created(csvOf(url('r1'), url('r2')));
  await runToRest(batch.id);
  const lines = async () =>
    (await (await api.fetch(batch.links.results)).text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as BatchLine);
  const id = (await lines())[1]?.classification?.id ?? '';
  expect((await api.fetch(`/v1/classifications/${id}`, { method: 'DELETE' })).status).toBe(200);
  const [kept, redacted] = await lines();
  expect(kept?.classification?.guidance).not.toBeNull();
  expect(redacted).toEqual({
    row: 2,
    key: null,
    image: url('r2'),
    status: 'completed',
    classification: null,
    error: null,
  });
  const csv = await (await api.fetch(batch.links.results, { headers: { accept: 'text/csv' } })).text();
  expect(csv).not.toContain(id);
});

test('a batch is paused, resumed and canceled, each only where its status allows it', async () => {
  const batch = await created(csvOf(url('p'), url('q')));
  const act = async (link: string) => {
    const response = await api.fetch(link, { method: 'POST' });
    return [response.status, ((await response.json()) as { status: unknown }).status];
  };
  expect(await act(batch.links.pause)).toEqual([200, 'paused']);
  expect((await act(batch.links.pause))[0]).toBe(409);
  expect(await act(batch.links.resume)).toEqual([200, 'queued']);
  expect(await act(batch.links.cancel)).toEqual([200, 'canceled']);
  expect(await runToRest(batch.id)).toMatchObject({ status: 'canceled', counts: { pending: 2, completed: 0 } });
  expect(await act(batch.links.resume)).toEqual([200, 'queued']);
  expect(await runToRest(batch.id)).toMatchObject({ status: 'completed', counts: { completed: 2 } });
  expect((await act(batch.links.cancel))[0]).toBe(409);
});
