import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failure, type Request, type Resource } from '@bunri/queue-contracts';
import { newRequestId } from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import { form, startTestApi, type TestApi } from './test-api.ts';

// Others may keep the machine busy.
const start = Date.parse('2026-03-01T12:00:00Z');
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ now: () => start });
});
afterAll(async () => {
  await api.close();
});

const source = { kind: 'url', url: 'https://example.com/a.jpg' } as const;
const basics = { question: '?', locale: 'ko', source, priority: 'batch' } as const;

async function accept(owner: string, createdAt: number, more: Partial<Request> = {}): Promise<string> {
  const id = newRequestId();
  await api.records.accept({ ...basics, id, owner, createdAt, deadlineAt: start + 90_000, ...more });
  return id;
}

interface Page {
  data: Resource[];
  next_cursor: string | null;
}

async function page(query: string, key = 'ann'): Promise<Page> {
  const answer = await api.fetch(`/v1/classifications?${query}`, { key });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Page;
}

async function all(query: string, key = 'ann', between?: (seen: string[]) => Promise<void>) {
  const seen: string[] = [];
  let pages = 0;
  for (let cursor: string | null = ''; cursor !== null; pages += 1) {
    const { data, next_cursor }: Page = await page(`${query}${cursor && `&cursor=${cursor}`}`, key);
    seen.push(...data.map(({ id }) => id));
    cursor = next_cursor;
    await between?.(seen);
  }
  return { seen, pages };
}

describe('a filter', () => {
  const batch = `batch_${'a'.repeat(32)}`;
  let ids: { queued: string; canceled: string; late: string; refused: string; row: string };
  beforeAll(async () => {
    const canceled = await accept('ann', start - 5000);
    await api.records.cancel(canceled);
    const late = await accept('ann', start - 4000);
    await api.records.fail(late, failure('deadline_exceeded', 'Late.'));
    const refused = await accept('ann', start - 3000);
    await api.records.fail(refused, failure('image_undecodable', 'No photo.'));
    const row = await accept('ann', start - 2000, { batch: { id: batch, row: 1 } });
    ids = { canceled, late, refused, row, queued: await accept('ann', start - 1000) };
  });

  test.each([
    ['status=canceled', ['canceled']],
    ['status=queued,canceled', ['queued', 'row', 'canceled']],
    ['status=queued&status=canceled', ['queued', 'row', 'canceled']],
    ['error_code=deadline_exceeded', ['late']],
    ['status=failed&error_code=deadline_exceeded,image_undecodable', ['refused', 'late']],
    ['status=completed', []],
    [`batch=${batch}`, ['row']],
    [`created_after=${new Date(start - 3000).toISOString()}`, ['queued', 'row', 'refused']],
    [`created_before=${new Date(start - 3000).toISOString()}`, ['late', 'canceled']],
    ['created_after=2026-03-01T20:59:56%2B09:00&created_before=2026-03-01T11:59:58Z', ['refused', 'late']],
  ] as const)('%s gives what fits, newest first, on one page as on many', async (query, names) => {
    const expected = names.map((name) => ids[name]);
    expect((await page(query)).data.map(({ id }) => id)).toEqual(expected);
    expect((await all(`${query}&limit=1`)).seen).toEqual(expected);
  });
});

test.each([
  'status=done',
  'error_code=nothing',
  'batch=1',
  'created_after=yesterday',
  'created_after=2026-03-02T00:00:00Z&created_before=2026-03-01T00:00:00Z',
  'cursor=MTIzLjQ',
  'cursor=',
  'cursor=nonsense',
  'limit=0',
  'limit=101',
  'page=2',
  'metadata.a=b',
])('%s is refused', async (query) => {
  expect((await api.fetch(`/v1/classifications?${query}`)).status).toBe(400);
});

test('what was submitted is listed once, newest first, and to nobody else, also of one millisecond', async () => {
  let clock = start;
  const lister = await startTestApi({ now: () => clock });
  const submit = async (key: string) => {
    const body = form(await drawSamplePhoto());
    const answer = await lister.fetch('/v1/classifications', { method: 'POST', body, key });
    return ((await answer.json()) as Resource).id;
  };
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    clock += n % 3 === 0 ? 1 : 0;
    ids.push(await submit('ann'));
  }
  await submit('bob');
  const listed = (await (await lister.fetch('/v1/classifications')).json()) as Page;
  expect(listed.data.map(({ id }) => id)).toEqual(ids.toSorted().toReversed());
  expect(listed.next_cursor).toBeNull();
  await lister.close();
});

test('a filter that hardly anything fits looks at so many a page, and its cursor goes on from there', async () => {
  const oldest = await accept('bob', start - 10_000);
  await api.records.cancel(oldest);
  for (let n = 0; n < 310; n += 1) await accept('bob', start - 5000 + (n % 7));
  const first = await page('status=canceled', 'bob');
  expect(first.data).toEqual([]);
  expect(first.next_cursor).not.toBeNull();
  expect(await all('status=canceled', 'bob')).toEqual({ seen: [oldest], pages: 2 });
  const { seen } = await all('limit=40', 'bob');
  expect(seen).toHaveLength(311);
  expect(new Set(seen).size).toBe(311);
});

test('what is deleted or comes between two pages makes nothing skipped or listed twice', async () => {
  const owner = 'operations';
  const ids: string[] = [];
  for (let n = 0; n < 9; n += 1) ids.unshift(await accept(owner, start - 1000 + Math.floor(n / 4)));
  const expected = (await page('limit=100', 'root')).data.map(({ id }) => id);
  expect(new Set(expected)).toEqual(new Set(ids));
  const { seen } = await all('limit=2', 'root', async (sofar) => {
    await accept(owner, start + sofar.length);
    // The very request at which the page ended, and one before it of the same millisecond.
    for (const id of sofar.slice(-2)) await api.records.remove(id, owner);
  });
  expect(seen).toEqual(expected);
});

test('a page goes on past more of its own millisecond than it looks for, which have come since', async () => {
  const [owner, key] = ['operations', 'root'];
  const old = await accept(owner, start - 60_000);
  const at = start - 50_000;
  const add = async (digits: string) => {
    const id = `req_${digits.padEnd(32, '0')}`;
    await api.records.accept({ ...basics, id, owner, createdAt: at, deadlineAt: start + 90_000 });
    return id;
  };
  const low = await add('1');
  const query = `limit=1&created_before=${new Date(at + 1).toISOString()}`;
  const first = await page(query, key);
  expect(first.data.map(({ id }) => id)).toEqual([low]);
  for (let n = 0; n < 60; n += 1) await add((0x20 + n).toString(16));
  const second = await page(`${query}&cursor=${first.next_cursor}`, key);
  expect(second.data.map(({ id }) => id)).toEqual([old]);
});

test('a made-up cursor does not have a whole list read at once', async () => {
  const cursor = Buffer.from(`${start}.999999.req_${'0'.repeat(32)}`).toString('base64url');
  expect((await api.fetch(`/v1/classifications?cursor=${cursor}`)).status).toBe(400);
});

test('a request that is waited for is read as it stands at its end, or when the time is over', async () => {
  const id = await accept('ann', start);
  const wait = async (seconds: number) =>
    await api.fetch(`/v1/classifications/${id}`, { headers: { prefer: `wait=${seconds}` } });
  const early = await wait(1);
  expect(early.headers.get('preference-applied')).toBe('wait=1');
  expect(await early.json()).toMatchObject({ status: 'queued' });
  const waiting = wait(60);
  const listeners = async () => (await api.redis.pubsub('NUMSUB', api.records.keys.events(id)))[1];
  while (Number(await listeners()) === 0);
  await api.records.cancel(id);
  expect(await (await waiting).json()).toMatchObject({ id, status: 'canceled' });
});
