import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { catalogue, type Item } from '@bunri/knowledge';
import { dayInSeoul, newRequestId, objectKeys } from '@bunri/runtime';
import {
  evaluationCaseSchema,
  feedbackSchema,
  toEvaluationCase,
  toFeedback,
  type EvaluationCase,
  type Feedback,
} from '../feedback.ts';
import { sampleOutputs } from '../sample-outputs.ts';
import { runStages, startTestApi, type TestApi } from '../test-api.ts';
import { feedbackPath } from './feedback.ts';

const item = catalogue.items.find(({ wasteCategory }) => wasteCategory === 'general') as Item;
const outputs = sampleOutputs();
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

async function accept(createdAt = Date.now()): Promise<string> {
  const id = newRequestId();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 } as const;
  const given = { id, owner: 'ann', question: 'Where to?', locale: 'en', source, priority: 'interactive' } as const;
  await api.records.accept({ ...given, createdAt, deadlineAt: Date.now() + 60_000 });
  return id;
}

async function completed(createdAt?: number): Promise<string> {
  const id = await accept(createdAt);
  await runStages(api.records, id, outputs);
  return id;
}

async function give(id: string, body: unknown, key = 'ann'): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  const path = `/v1/classifications/${id}/feedback`;
  return await api.fetch(path, { method: 'POST', key, body: JSON.stringify(body), headers });
}

async function lines(query = ''): Promise<EvaluationCase[]> {
  const headers = { accept: 'application/x-ndjson' };
  const answer = await api.fetch(`${feedbackPath}${query}`, { key: 'root', headers });
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
  const text = await answer.text();
  const found = text.split('\n').filter((line) => line !== '');
  return found.map((line) => evaluationCaseSchema.parse(JSON.parse(line)));
}

const stored = async (): Promise<string[]> => (await api.objects()).filter((key) => key.startsWith('feedback/'));

describe('feedback', () => {
  test('is kept with what was asked, seen and meant, below the day of the request', async () => {
    const id = await completed();
    const answer = await give(id, { item_id: item.id, helpful: false, comment: ' No. ' });
    expect(answer.status).toBe(200);
    const feedback = feedbackSchema.parse(await answer.json());
    expect(feedback).toMatchObject({
      request_id: id,
      question: 'Where to?',
      locale: 'en',
      classification: outputs.vision.classification,
      item_id: item.id,
      outcome: { waste_category: 'general', subcategory: item.subcategory },
      helpful: false,
      comment: 'No.',
    });
    const key = objectKeys.feedback(dayInSeoul(Date.parse(feedback.requested_at)), id);
    const bytes = await api.storage.getBytes(key);
    expect(JSON.parse(Buffer.from(bytes ?? []).toString())).toEqual(feedback);
  });

  test('given again takes the place of what was given, also on another day', async () => {
    const id = await completed(Date.now() - 3 * 86_400_000);
    const before = (await stored()).length;
    await give(id, { item_id: item.id });
    const again = (await (await give(id, { helpful: true })).json()) as Feedback;
    expect(again).toMatchObject({ item_id: null, outcome: null, helpful: true, comment: null });
    expect((await stored()).length).toBe(before + 1);
  });

  test('is refused with its reason where it cannot be kept, and then nothing is', async () => {
    const before = await stored();
    const id = await completed();
    const codeOf = async (answer: Response) => ({ status: answer.status, ...((await answer.json()) as object) });
    expect(await codeOf(await give(id, { helpful: true }, 'bob'))).toMatchObject({ status: 404, code: 'not_found' });
    expect(await codeOf(await give(id, { helpful: true }, 'annReads'))).toMatchObject({ status: 403 });
    expect(await codeOf(await give(newRequestId(), { helpful: true }))).toMatchObject({ status: 404 });
    expect(await codeOf(await give(await accept(), { helpful: true }))).toMatchObject({
      status: 409,
      code: 'not_ended',
    });
    expect(await codeOf(await give(id, { item_id: 'no-such' }))).toMatchObject({ status: 422, code: 'item_unknown' });
    const wrong = [{}, { helpful: 'yes' }, { comment: 'x'.repeat(501) }, { comment: ' ' }, { rating: 5 }];
    for (const body of wrong) expect(await codeOf(await give(id, body))).toMatchObject({ status: 400 });
    expect(await stored()).toEqual(before);
  });

  test('on a request that failed before its photo was seen is kept too, and is no case', async () => {
    const id = await accept();
    await api.records.cancel(id);
    const answer = await give(id, { item_id: item.id });
    expect(await answer.json()).toMatchObject({ classification: null, outcome: { waste_category: 'general' } });
    expect((await lines()).map((one) => one.id)).not.toContain(`feedback-${id}`);
  });

  test('says of an item that is not in the catalogue nothing at all', async () => {
    const record = await api.records.get(await completed());
    if (!record) throw new Error('the record is gone');
    expect(() => toFeedback(record, { item_id: 'no-such' }, 0)).toThrow('no-such');
  });
});

describe('the export', () => {
  const day = (text: string) => Date.parse(`${text}T12:00:00+09:00`);
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    for (const date of ['2025-03-01', '2025-03-02', '2025-03-03', '2025-03-04']) {
      const id = await completed(day(date));
      ids[date] = id;
      await give(id, { item_id: item.id });
    }
    await give(await completed(day('2025-03-02')), { helpful: true });
  });

  test('has the feedback that says what the thing is, as cases, of the days that were asked for', async () => {
    const cases = await lines('?since=2025-03-02&until=2025-03-03');
    expect(cases.map(({ id }) => id)).toEqual([`feedback-${ids['2025-03-02']}`, `feedback-${ids['2025-03-03']}`]);
    const { engine: _engine, ...vision } = outputs.vision.classification;
    expect(cases[0]).toEqual({
      id: `feedback-${ids['2025-03-02']}`,
      locale: 'en',
      question: 'Where to?',
      vision,
      expect: { item_id: item.id, category: item.subcategory },
    });
    const early = (await lines('?until=2025-03-01')).map(({ id }) => id);
    expect(early).toEqual([`feedback-${ids['2025-03-01']}`]);
    expect((await lines('?since=2025-03-04')).length).toBeGreaterThan(1);
    expect(await lines('?since=2999-01-01')).toEqual([]);
  });

  test('has no case of an item that has left the catalogue since, and one that vision named so is none', async () => {
    const id = await completed();
    const feedback = feedbackSchema.parse(await (await give(id, { item_id: item.id })).json());
    expect(toEvaluationCase({ ...feedback, item_id: 'moon-rock' })).toBeNull();
    const classification = { ...outputs.vision.classification, item_id: 'moon-rock' };
    expect(toEvaluationCase({ ...feedback, classification })?.vision.item_id).toBeNull();
  });

  test('passes over an object that is no feedback', async () => {
    await api.storage.put(objectKeys.feedback('2025-03-01', newRequestId()), Buffer.from('{'), 'application/json');
    expect(await lines('?until=2025-03-01')).toHaveLength(1);
  });

  test('is for administrators, and refuses another media type and days that are none', async () => {
    expect((await api.fetch(feedbackPath)).status).toBe(403);
    const statusOf = async (query: string, accept = '*/*') =>
      (await api.fetch(`${feedbackPath}${query}`, { key: 'root', headers: { accept } })).status;
    expect(await statusOf('', 'text/html')).toBe(406);
    for (const query of ['?since=yesterday', '?since=2025-02-30', '?since=2025-03-02&until=2025-03-01', '?page=1'])
      expect(await statusOf(query)).toBe(400);
  });

  test('ends for a client that has gone, and reads nothing more for it', async () => {
    let reads = 0;
    const leaving = new AbortController();
    const stopped = Promise.withResolvers<void>();
    const slow = await startTestApi({
      getObject: async (get, signal) => {
        reads += 1;
        signal?.addEventListener('abort', () => stopped.resolve());
        leaving.abort();
        await stopped.promise;
        return await get();
      },
    });
    for (let i = 0; i < 20; i += 1) {
      const bytes = Buffer.from('{}');
      await slow.storage.put(objectKeys.feedback('2025-01-01', newRequestId()), bytes, 'application/json');
    }
    await expect(slow.fetch(feedbackPath, { key: 'root', signal: leaving.signal })).rejects.toThrow('abort');
    await stopped.promise;
    await slow.close();
    expect(reads).toBeLessThan(20);
  });
});
