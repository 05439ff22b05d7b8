import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { BatchLine } from '@bunri/queue-contracts';
import { drawSamplePhoto, startProcess, type RunningProcess } from '@bunri/testkit';
import { createBatchFeeder } from './batch-feeder.ts';
import { sampleOutputs } from './sample-outputs.ts';
import { runStages, startTestApi, type TestApi } from './test-api.ts';
import { bearerKey } from './test-keys.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const rows = 200;

let api: TestApi;
let folder: string;
let woken: PromiseWithResolvers<string>;
let answering: AbortController;
let answered: Promise<void>;

beforeEach(async () => {
  woken = Promise.withResolvers<string>();
  api = await startTestApi({ wakeBatch: async (id) => await Promise.resolve(woken.resolve(id)) });
  folder = await mkdtemp(join(tmpdir(), 'bunri-batch-'));
  answering = new AbortController();
  answered = playWorkers(answering.signal);
});
afterEach(async () => {
  answering.abort();
  await answered;
  await api.close();
  await rm(folder, { recursive: true });
});

/** Brings every request through the stages as it comes. */
async function playWorkers(signal: AbortSignal): Promise<void> {
  const outputs = sampleOutputs();
  for (let next = 0; !signal.aborted;) {
    const ids = api.queued.slice(next);
    next += ids.length;
    await Promise.all([...new Set(ids)].map(async (id) => await runStages(api.records, id, outputs)));
    await delay(5);
  }
}

async function runner(...more: string[]): Promise<RunningProcess> {
  const files = ['--out', join(folder, 'results.jsonl'), '--errors', join(folder, 'errors.jsonl')];
  return await startProcess({
    name: 'bunri batch',
    args: [join(root, 'packages/cli/src/bunri.ts'), 'batch', '--server', api.url, ...files, ...more],
    cwd: root,
    env: { PATH: process.env['PATH'], BUNRI_API_KEY: bearerKey('ann') },
  });
}

async function readLines(name: string): Promise<BatchLine[]> {
  const text = await readFile(join(folder, name), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as BatchLine);
}

async function drawPhotos(): Promise<void> {
  await mkdir(join(folder, 'photos'));
  const one = await drawSamplePhoto({ width: 32, height: 24 });
  for (let i = 0; i < rows; i += 1) {
    // What stands behind the picture's end makes another file of the same picture.
    await writeFile(
      join(folder, 'photos', `${String(i).padStart(3, '0')}.jpg`),
      Buffer.concat([one, Buffer.from(`photo ${i}`)]),
    );
  }
}

const journalLines = async () =>
  (await readFile(join(folder, 'results.jsonl.journal'), 'utf8').catch(() => '')).split('\n').length - 2;

test('200 photos with one kill -9 of the runner in between: each row is done once', async () => {
  await drawPhotos();
  const photos = ['--folder', join(folder, 'photos'), '--batch-size', '10', '--timeout', '300'];
  const killed = await runner(...photos);
  while ((await journalLines()) < 60) await delay(10);
  await killed.stop('SIGKILL');
  const doneBefore = await journalLines();
  expect(doneBefore).toBeLessThan(rows);

  const second = await runner(...photos, '--resume', '--json');
  expect((await second.exited).code).toBe(0);
  expect(new Set(api.queued).size).toBe(rows);
  expect(await api.redis.zcard(api.records.keys.owner('ann'))).toBe(rows);
  const lines = await readLines('results.jsonl');
  expect(lines.map(({ row, status }) => `${row} ${status}`)).toEqual(
    Array.from({ length: rows }, (_, i) => `${i + 1} completed`),
  );
  expect(new Set(lines.map(({ classification }) => classification?.id)).size).toBe(rows);
  expect(await readLines('errors.jsonl')).toEqual([]);
  expect(second.output()).toContain('"completed": 200');
});

test('a file that is handed in as one batch is followed to its end, and its results are fetched', async () => {
  const csv = join(folder, 'rows.csv');
  await writeFile(csv, 'image_url\nhttps://photos.example/1.jpg\nhttps://photos.example/2.jpg\n');
  const running = await runner('--server-side', '--csv-file', csv);
  const look = createBatchFeeder(api.feeding);
  const id = await woken.promise;
  while ((await look(id)) !== null) await delay(20);
  expect((await running.exited).code).toBe(0);
  expect((await readLines('results.jsonl')).map(({ row, status }) => `${row} ${status}`)).toEqual([
    '1 completed',
    '2 completed',
  ]);
  expect(running.output()).toContain('completed: 2 completed');
  // The same command finds the batch that is there.
  await rm(join(folder, 'results.jsonl'));
  expect((await (await runner('--server-side', '--csv-file', csv)).exited).code).toBe(0);
  expect(await readLines('results.jsonl')).toHaveLength(2);
  expect(await api.batches.listIds('ann', Number.MAX_SAFE_INTEGER - 1, 10)).toEqual([id]);
});
