import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createAudit, newRequestId } from '@bunri/runtime';
import { startTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => await api.close());

test('what an operator does by the api is kept with the key that did it, and what is refused is not', async () => {
  const json = { 'content-type': 'application/json' };
  const purge = async (key: string) =>
    await api.fetch('/v1/admin/dead-letters?code=worker_lost', { method: 'DELETE', key });
  expect((await purge('ann')).status).toBe(403);
  expect((await purge('root')).status).toBe(200);
  const body = JSON.stringify({ all: true });
  const retry = { method: 'POST', key: 'root', headers: json, body };
  expect((await api.fetch('/v1/admin/dead-letters/retry', retry)).status).toBe(200);
  expect((await api.fetch('/v1/admin/feedback?since=2026-01-01', { key: 'root' })).status).toBe(200);
  const line = { actor: 'root', outcome: 'done' };
  expect(await createAudit({ redis: api.redis, prefix: api.prefix }).read({ limit: 10 })).toMatchObject([
    { ...line, action: 'dead_letters.purge', target: '{"code":"worker_lost"}', outcome: 'begun' },
    { ...line, action: 'dead_letters.purge', target: '{"code":"worker_lost"}' },
    { ...line, action: 'dead_letters.retry', target: '{}' },
    { ...line, action: 'feedback.export', target: '{"since":"2026-01-01"}' },
  ]);
});

test('a purge is in the audit before it begins, and what came of it after, also where it is refused or fails', async () => {
  const read = async () => {
    const lines = await createAudit({ redis: api.redis, prefix: other.prefix }).read({ limit: 10 });
    return lines.map(({ target, outcome, facts }) => [target, outcome, facts]);
  };
  let before: unknown;
  const purgeMatching = async () => {
    before = await read();
    throw new Error('it broke');
  };
  const other = await startTestApi({ deadLetters: { purgeMatching } });
  const path = '/v1/admin/dead-letters';
  const id = newRequestId();
  expect((await other.fetch(`${path}/${id}`, { method: 'DELETE', key: 'root' })).status).toBe(404);
  expect((await other.fetch(`${path}?all=true`, { method: 'DELETE', key: 'root' })).status).toBe(500);
  const refused = [
    [id, 'begun', {}],
    [id, 'refused', { error: 'not_found' }],
  ];
  expect(before).toEqual([...refused, ['{}', 'begun', {}]]);
  expect(await read()).toEqual([...refused, ['{}', 'begun', {}], ['{}', 'failed', { error: 'it broke' }]]);
  await other.close();
});
