import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { createLogger, createSpending, type Estimate } from '@bunri/runtime';
import { drawSamplePhoto } from '@bunri/testkit';
import type { ProblemDocument } from './problem.ts';
import { form, startTestApi, type TestApi } from './test-api.ts';
import type { TestApiOptions } from './test-api-options.ts';

const path = '/v1/classifications';
const log = createLogger({ app: 'test', level: 'error', silent: true });
let photo: Buffer;
beforeAll(async () => {
  photo = await drawSamplePhoto();
});
const started: TestApi[] = [];
afterEach(async () => {
  for (const api of started.splice(0)) await api.close();
});

async function start(options: TestApiOptions = {}): Promise<TestApi> {
  const api = await startTestApi(options);
  started.push(api);
  return api;
}

test.each([
  ['a line of 5 ms before an answer that is late by itself', { waitMs: 5, p50Ms: 19_005, p95Ms: 21_005 }, 202],
  ['a line that takes most of the time', { waitMs: 11_000, p50Ms: 29_000, p95Ms: 32_000 }, 503],
  ['a short line without which there would be time', { waitMs: 2_000, p50Ms: 18_000, p95Ms: 21_000 }, 503],
  ['a line that leaves time enough', { waitMs: 15_000, p50Ms: 18_000, p95Ms: 19_000 }, 202],
])('with a deadline of 20 s, %s', async (_name, completion, status) => {
  const told = async (): Promise<Estimate> => await Promise.resolve({ position: 1, completion });
  const api = await start({ forecast: { ofLast: told, ofNext: told } });
  const answer = await api.fetch(`${path}?deadline=20`, { method: 'POST', body: form(photo) });
  expect(answer.status).toBe(status);
});

test('an owner whose cap is reached is refused before the upload, unless the answer exists already', async () => {
  let exhausted = false;
  const capped = await start({
    spent: async (owner) =>
      await Promise.resolve({
        ownerUsd: 1,
        totalUsd: 1,
        exhausted: exhausted && owner === 'ann' ? ('owner' as const) : null,
        reopensAt: Date.now() + 3_600_000,
      }),
  });
  const send = async (key: string, idempotencyKey: string) =>
    await capped.fetch(path, {
      method: 'POST',
      body: form(photo),
      headers: { 'idempotency-key': idempotencyKey },
      key,
    });
  expect((await send('ann', 'early')).status).toBe(202);
  exhausted = true;
  const refused = await send('ann', 'late');
  expect(refused.status).toBe(402);
  expect(await refused.json()).toMatchObject({ code: 'spending_cap_reached' });
  expect((await send('ann', 'early')).status).toBe(202);
  expect((await send('bob', 'late')).status).toBe(202);
});

test.each([
  ['owner', { ownerUsd: 1 }, 'your spending cap'],
  ['day', { totalUsd: 1 }, "this service's spending cap"],
] as const)('a client whose %s cap is reached is told which, and when it opens', async (_cap, caps, named) => {
  // Two hours before midnight in Seoul.
  const now = () => Date.UTC(2026, 5, 1, 13);
  const { redis, prefix, metrics } = await start();
  const spending = createSpending({ redis, prefix, caps, metrics, log, now });
  const call = await spending.reserve({ owner: 'ann', stage: 'vision', usd: 1 });
  await call.settle({ input_tokens: 1, output_tokens: 1, cost_usd: 1 });
  const capped = await start({ now, spent: async (owner) => await spending.spent(owner) });
  const answer = await capped.fetch(path, { method: 'POST', body: form(photo) });
  expect(answer.status).toBe(402);
  expect(answer.headers.get('retry-after')).toBe('7200');
  const { detail } = (await answer.json()) as ProblemDocument;
  expect(detail).toContain(named);
  expect(detail).toContain('2026-06-01T15:00:00.000Z');
});
