import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { dailyColumns } from '@bunri/queue-contracts';
import { createKeys, dailyObjectKey, summariseDay } from '@bunri/runtime';
import { startTestApi, type TestApi } from '../test-api.ts';
import { mostDays, statsSchema } from './stats.ts';

/** Half past one in the morning of 23 November 2026 in Seoul, which is still the 22nd in UTC. */
let now = 0;
const morning = Date.UTC(2026, 10, 22, 16, 30);
const path = '/v1/stats/daily';

let api: TestApi;
beforeAll(async () => {
  now = morning;
  api = await startTestApi({ now: () => now, caps: { totalUsd: 5 } });
  const day = (text: string) => createKeys(api.prefix).statistics(text);
  await api.redis.hset(day('2026-11-23'), { accepted: 3, completed: 2, 'duration:vision:3000': 2 });
  await api.redis.hset(day('2026-11-22'), { accepted: 7, 'failed:model_timeout': 1, 'nanousd:llm': 1 });
  await api.redis.hset(day('2026-11-21'), { accepted: 999 });
  const over = summariseDay('2026-11-21', { accepted: '40', cached: '4', 'category:food': '6' });
  await api.storage.put(dailyObjectKey('2026-11-21'), Buffer.from(JSON.stringify(over)), 'application/json');
});
afterEach(() => {
  now = morning;
});
afterAll(async () => {
  await api.close();
});

const get = async (query = '', init: { key?: string; accept?: string } = {}) => {
  const { key = 'root', accept = 'application/json' } = init;
  return await api.fetch(`${path}${query}`, { key, headers: { accept } });
};

test('figures of all owners need the scope admin: a key that reads its own requests gets 403 and is told why', async () => {
  for (const key of ['ann', 'annReads']) {
    const answer = await get('', { key });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('scope admin') });
  }
});

test('a week up to today in Seoul: days that are over by their document, others by their counters, and which is said', async () => {
  const body = statsSchema.parse(await (await get()).json());
  expect(body).toMatchObject({ from: '2026-11-17', to: '2026-11-23', caps: { day_usd: 5, owner_usd: null } });
  expect(body.days.map(({ day, source, requests: { accepted } }) => [day, source, accepted])).toEqual([
    ['2026-11-17', 'none', 0],
    ['2026-11-18', 'none', 0],
    ['2026-11-19', 'none', 0],
    ['2026-11-20', 'none', 0],
    ['2026-11-21', 'archive', 40],
    ['2026-11-22', 'counters', 7],
    ['2026-11-23', 'counters', 3],
  ]);
  expect(body.days[4]).toMatchObject({ requests: { cached: 4 }, categories: { food: 6 } });
  expect(body.days[5]?.failures).toEqual({ model_timeout: 1 });
  expect(body.days[6]?.stages.vision).toMatchObject({ completed: 2, duration_ms: { p50: 2500 } });
});

test('today is as it stands at the moment', async () => {
  const today = createKeys(api.prefix).statistics('2026-11-25');
  now = Date.UTC(2026, 10, 24, 20);
  const accepted = async () => {
    const { days } = statsSchema.parse(await (await get('?from=2026-11-25')).json());
    return days.map(({ requests }) => requests.accepted);
  };
  expect(await accepted()).toEqual([0]);
  await api.redis.hincrby(today, 'accepted', 1);
  expect(await accepted()).toEqual([1]);
});

test('as CSV a day is a line with the same figures, and the names of its columns above', async () => {
  const answer = await get('?from=2026-11-21&to=2026-11-22', { accept: 'text/csv' });
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(answer.headers.get('vary')).toContain('Accept');
  const [names = [], ...lines] = (await answer.text()).split('\r\n').map((line) => line.split(','));
  expect(names).toEqual([...dailyColumns, 'source']);
  const days = lines.slice(0, -1).map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i]])));
  expect(days).toMatchObject([
    { day: '2026-11-21', accepted: '40', category_food: '6', vision_p50_ms: '', source: 'archive' },
    { day: '2026-11-22', accepted: '7', failed_model_timeout: '1', source: 'counters' },
  ]);
});

test('what is neither JSON nor CSV is not to be had', async () => {
  expect((await get('', { accept: 'image/png' })).status).toBe(406);
});

test.each([
  ['days to come', '?to=2026-11-24', 'to'],
  ['the wrong order', '?from=2026-11-22&to=2026-11-21', 'from'],
  ['a day more than may be', '?from=2026-08-23&to=2026-11-23', 'from'],
  ['no day', '?from=2026-02-30', 'from'],
  ['something else', '?day=2026-11-22', 'day'],
])('%s: 400, and which parameter is wrong', async (_what, query, field) => {
  const answer = await get(query);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: 'invalid_request', errors: [{ field }] });
});

test('a quarter of a year is had at once', async () => {
  const body = statsSchema.parse(await (await get('?from=2026-08-24&to=2026-11-23')).json());
  expect(body.days).toHaveLength(mostDays);
});
