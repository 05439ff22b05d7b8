import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { createAudit, createLogger } from '@bunri/runtime';
import { startTestApi, type TestApi } from '../test-api.ts';
import { bearer } from '../test-keys.ts';
import { redactBoard } from '../board-redaction.ts';
import { boardPath } from './board.ts';

const secret = 'what-nobody-should-read';
const jobId = 'req_019a9c1e7b3a7c3e9d0f2a4b6c8d0e1f-vision';
let apis: Record<'readOnly' | 'full' | 'off', TestApi>;
let cookie: string;
beforeAll(async () => {
  const [readOnly, full, off] = await Promise.all([
    startTestApi(),
    startTestApi({ board: 'full' }),
    startTestApi({ board: 'off' }),
  ]);
  apis = { readOnly, full, off };
  const opened = await readOnly.fetch('/v1/admin/session', { method: 'POST', key: 'root' });
  cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
  await Promise.all([failJob(readOnly), failJob(full)]);
});
afterAll(async () => {
  await Promise.all(Object.values(apis).map(async (api) => await api.close()));
});

/** A job of the vision stage that failed, with something to hide wherever a job has room for it. */
async function failJob({ redis, prefix }: TestApi): Promise<void> {
  const queue = new Queue('vision', { connection: redis, prefix });
  const data = { v: 1, requestId: 'req_019a9c1e7b3a7c3e9d0f2a4b6c8d0e1f', deadlineAt: 5, question: secret };
  const job = await queue.add('vision', data, { jobId });
  await job.log(secret);
  const connection = redis.duplicate({ maxRetriesPerRequest: null, enableOfflineQueue: true });
  const worker = new Worker('vision', null, { connection, prefix });
  const taken = await worker.getNextJob('token', { block: false });
  await taken?.updateProgress({ secret });
  await taken?.moveToFailed(new Error(secret), 'token', false);
  await worker.close();
  await queue.close();
  connection.disconnect();
}

const get = async (api: TestApi, path: string, headers: Record<string, string> = {}) =>
  await api.fetch(`${boardPath}${path}`, { key: null, headers, redirect: 'manual' });

test('the board opens to a session of an administrator, and sends others where they can open one', async () => {
  const page = await get(apis.readOnly, '', { cookie });
  expect(page.status).toBe(200);
  const away = await get(apis.readOnly, '');
  expect([away.status, away.headers.get('location')]).toEqual([303, '/ops']);
  expect((await get(apis.readOnly, '/api/queues')).status).toBe(401);
  expect((await get(apis.readOnly, '/api/queues', bearer('ann'))).status).toBe(403);
  expect((await get(apis.readOnly, '', bearer('ann'))).status).toBe(403);
});

test('its page loads nothing from elsewhere, and what it may do more than others holds for its own pages alone', async () => {
  for (const path of ['', '/', '/queue/vision']) {
    const page = await get(apis.readOnly, path, { cookie });
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/script-src[^;]*unsafe|https?:|\*/);
    const text = await page.text();
    expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    const files = [...text.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(4);
    if (path !== '') continue;
    for (const file of files) {
      const answer = await get(apis.readOnly, `/${file}`);
      const kept = /\.[0-9a-f]{10}\.\w+$/.test(file) ? 'public, max-age=31536000, immutable' : 'public, max-age=3600';
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, kept]);
    }
  }
  const answer = await apis.readOnly.fetch('/v1/queues', { key: 'root' });
  expect(answer.headers.get('content-security-policy')).not.toContain('unsafe-inline');
});

const looks = ['/api/queues?activeQueue=vision&status=failed&page=1', `/api/queues/vision/${jobId}`];

test('it shows where jobs belong, and nothing of what is in them', async () => {
  for (const look of looks) {
    const answer = await get(apis.readOnly, look, { cookie });
    const text = await answer.text();
    expect([answer.status, look]).toEqual([200, look]);
    expect(text).toContain(jobId);
    expect(text).not.toContain(secret);
  }
  for (const look of [`/api/queues/vision/${jobId}/logs`, `/api/queues/vision/${jobId}/flow`]) {
    const answer = await get(apis.readOnly, look, { cookie });
    expect([answer.status, look]).toEqual([200, look]);
    expect(await answer.text()).not.toContain(secret);
  }
});

test.each([
  [{ data: secret }, { data: null }],
  [{ data: [secret, { question: secret }, 3] }, { data: [3] }],
  [
    { jobs: [{ data: { requestId: 'r', image: secret }, returnValue: secret }] },
    { jobs: [{ data: { requestId: 'r' }, returnValue: null }] },
  ],
])('whatever form the data of a job has, none of it is shown: %j', (told, shown) => {
  expect(redactBoard(told)).toEqual(shown);
});

test.each([
  ['queues?activeQueue=%25', 400],
  ['queues?activeQueue=vision&activeQueue=rag', 400],
  ['job-schedulers?queueName=%25', 400],
  ['queues?activeQueue=vision.local&status=failed&page=99999999999999999999', 200],
])('a strange query is no failure of the service: %s', async (query, status) => {
  expect((await get(apis.readOnly, `/api/${query}`, { cookie })).status).toBe(status);
});

test('however many jobs are asked for, a page reads a hundred', async () => {
  const queue = new Queue('rag', { connection: apis.readOnly.redis, prefix: apis.readOnly.prefix });
  await queue.addBulk(Array.from({ length: 120 }, (_, i) => ({ name: 'rag', data: { i } })));
  await queue.close();
  const look = '/api/queues?activeQueue=rag&status=waiting&page=1&jobsPerPage=';
  const jobsOf = async (most: string) => {
    const answer = await get(apis.readOnly, `${look}${most}`, { cookie });
    const { queues } = (await answer.json()) as { queues: { name: string; jobs: unknown[] }[] };
    return queues.find(({ name }) => name === 'rag')?.jobs.length;
  };
  expect([await jobsOf('100000000'), await jobsOf('5')]).toEqual([100, 5]);
});

test('it changes nothing unless it was told that it may', async () => {
  const retry = `${boardPath}/api/queues/vision/${jobId}/retry`;
  for (const path of [retry, `${boardPath}/api/queues/vision/pause`, `${boardPath}/api/queues/vision/obliterate`]) {
    expect((await apis.readOnly.fetch(path, { method: 'PUT', key: 'root' })).status).toBe(404);
  }
  expect(await (await get(apis.full, looks[1] ?? '', bearer('root'))).text()).toContain(secret);
  expect((await apis.full.fetch(`${boardPath}/api/queues/vision/pause`, { method: 'PUT', key: 'root' })).status).toBe(
    200,
  );
  const log = createLogger({ app: 'api', level: 'error', silent: true });
  const linesOf = async ({ redis, prefix }: TestApi) => await createAudit({ redis, prefix, log }).read({ limit: 10 });
  expect(await linesOf(apis.full)).toMatchObject([
    { actor: 'root', action: 'board.put', target: '/api/queues/vision/pause' },
  ]);
  // What could not be done is not said to have begun.
  expect((await linesOf(apis.readOnly)).map(({ action }) => action)).toEqual(['session.open']);
});

test('switched off it is not there', async () => {
  for (const path of ['', '/api/queues', '/static/js/main.js']) {
    expect((await get(apis.off, path, bearer('root'))).status).toBe(404);
  }
});
