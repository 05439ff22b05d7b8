import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { BatchLine } from '@bunri/queue-contracts';
import { freePort, startProcess } from '@bunri/testkit';
import type { CommandIo } from '../command.ts';
import { runBunri } from '../dispatch.ts';

let folder: string;
let server: Server;
/** Idempotency keys of the submissions that came. */
let keys: string[];
let answer: { status: number; body: unknown };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bunri-batch-'));
  keys = [];
  answer = { status: 200, body: resource('completed') };
  server = createServer((request, response) => {
    keys.push(String(request.headers['idempotency-key']));
    request.resume();
    request.on('end', () => {
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

function resource(status: 'completed' | 'failed', error: unknown = null) {
  const id = `req_${'0'.repeat(32)}`;
  const usage = { llm: { input_tokens: 1, output_tokens: 1, cost_usd: 0.5 } };
  return { id, status, usage, classification: null, guidance: null, stages: [], error };
}

/** @param given arguments, and who draws on a terminal */
async function run(
  ...given: (string | ((text: string) => void))[]
): Promise<{ code: number; out: string[]; err: string[] }> {
  const args = given.filter((each) => typeof each === 'string');
  const [out, err]: [string[], string[]] = [[], []];
  const io: CommandIo = {
    env: {},
    actor: 'cli:test',
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    ask: undefined,
    draw: given.find((each) => typeof each === 'function'),
    signal: new AbortController().signal,
  };
  const { port } = server.address() as AddressInfo;
  const files = ['--out', join(folder, 'results.jsonl'), '--errors', join(folder, 'errors.jsonl')];
  const code = await runBunri(['batch', '--server', `http://127.0.0.1:${port}`, ...files, ...args], io);
  return { code, out, err };
}

test('--delete removes a batch after it was agreed to, and waits until nothing is left', async () => {
  const id = `batch_${'1'.repeat(32)}`;
  const { port } = server.address() as AddressInfo;
  const to = ['--server', `http://127.0.0.1:${port}`];
  const [out, err]: [string[], string[]] = [[], []];
  const io = (ask: CommandIo['ask']): CommandIo => ({
    env: {},
    actor: 'cli:test',
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    ask,
    draw: undefined,
    signal: new AbortController().signal,
  });
  answer.body = { id, status: 'deleted', requests_removed: 3, objects_removed: 2, in_flight: 0 };
  const no = async () => await Promise.resolve('n');
  expect(await runBunri(['batch', '--delete', id, ...to], io(no))).toBe(1);
  expect(keys).toEqual([]);
  expect(await runBunri(['batch', '--delete', id, '--yes', ...to], io(undefined))).toBe(0);
  expect(out).toEqual([`${id} is deleted: 3 requests, 2 objects`]);
  expect(await runBunri(['batch', '--delete', 'nonsense', '--yes'], io(undefined))).toBe(64);
});

async function csv(...lines: string[]): Promise<string> {
  const path = join(folder, 'rows.csv');
  await writeFile(path, `image_url,image,question\n${lines.join('\n')}\n`);
  return path;
}

async function linesOf(name: string): Promise<BatchLine[]> {
  const text = await readFile(join(folder, name), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as BatchLine);
}

const url = (name: string) => `https://photos.example/${name}.jpg`;

test('all rows answered is exit code 0, with a result for each row in its order and the cost', async () => {
  await writeFile(join(folder, 'one.jpg'), 'a photo');
  const path = await csv(`${url('a')},,`, ',one.jpg,What is it?');
  const { code, out } = await run('--csv-file', path, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out.join('\n'))).toMatchObject({ rows: 2, outcomes: { completed: 2, not_done: 0 }, cost_usd: 1 });
  expect((await linesOf('results.jsonl')).map(({ row, image }) => [row, image])).toEqual([
    [1, url('a')],
    [2, 'one.jpg'],
  ]);
  expect(new Set(keys).size).toBe(2);
});

test('a row that was done is not sent again, whatever rows were put before it; --fresh sends all, as new requests', async () => {
  await run('--csv-file', await csv(`${url('a')},,`, `${url('b')},,`));
  const first = [...keys];
  expect((await run('--csv-file', await csv(`${url('new')},,`, `${url('a')},,`, `${url('b')},,`))).code).toBe(0);
  expect(keys).toHaveLength(3);
  expect((await linesOf('results.jsonl')).map(({ row, image }) => [row, image])).toEqual([
    [1, url('new')],
    [2, url('a')],
    [3, url('b')],
  ]);
  await run('--csv-file', await csv(`${url('a')},,`, `${url('b')},,`), '--fresh');
  expect(keys).toHaveLength(5);
  expect(first.filter((key) => keys.slice(3).includes(key))).toEqual([]);
});

test('rows without an answer are exit code 1 and stand in the error file; --retry-failed runs them again', async () => {
  const path = await csv(`${url('a')},,`);
  answer = { status: 200, body: resource('failed', { code: 'image_undecodable', message: 'It is broken.' }) };
  expect((await run('--csv-file', path)).code).toBe(1);
  expect((await linesOf('errors.jsonl'))[0]).toMatchObject({
    row: 1,
    status: 'failed',
    error: { code: 'image_undecodable' },
  });
  answer = { status: 200, body: resource('completed') };
  expect((await run('--csv-file', path)).code).toBe(1);
  expect((await run('--csv-file', path, '--retry-failed')).code).toBe(0);
  expect(await linesOf('errors.jsonl')).toEqual([]);
  expect(new Set(keys).size).toBe(2);
});

test('what a row asks for that the server refuses is its failure; a key that is not known ends the run', async () => {
  const path = await csv(`${url('a')},,`);
  answer = { status: 422, body: { code: 'image_url_forbidden', title: 'No', detail: 'Not this one.', status: 422 } };
  expect((await run('--csv-file', path)).code).toBe(1);
  expect((await linesOf('errors.jsonl'))[0]?.error).toEqual({ code: 'image_url_forbidden', message: 'Not this one.' });
  answer = { status: 401, body: { code: 'unauthorized', title: 'A key is needed', detail: 'Send one.', status: 401 } };
  const { code, err } = await run('--csv-file', path, '--fresh');
  expect([code, await linesOf('errors.jsonl')]).toEqual([1, []]);
  expect(err.at(-1)).toContain('A key is needed');
});

test('a server that cannot be reached is exit code 75, and nothing counts as done', async () => {
  const away = ['--server', `http://127.0.0.1:${await freePort()}`, '--patience', '1'];
  const path = await csv(`${url('a')},,`);
  expect((await run('--csv-file', path, ...away)).code).toBe(75);
  expect(await linesOf('results.jsonl')).toEqual([]);
  expect((await run('--csv-file', path)).code).toBe(0);
});

test('what is not understood is exit code 64, and nothing is sent', async () => {
  const path = await csv(`${url('a')},,`, ',missing.jpg,', `${url('c')},both.jpg,`);
  const { code, err } = await run('--csv-file', path);
  expect(code).toBe(64);
  expect(err.slice(0, 2)).toEqual([
    'row 2: image is no file that can be read',
    'row 3: image_url and image are both given; keep one',
  ]);
  expect((await run('--folder', join(folder, 'nowhere'))).code).toBe(64);
  expect((await run('--csv-file', path, '--zip', path)).code).toBe(64);
  expect((await run()).code).toBe(64);
  expect((await run('--csv-file', await csv(`${url('a')},,`), '--resume')).code).toBe(64);
  expect(keys).toEqual([]);
});

test('what a kill has left of a last line is cut off, and its row runs again as the same request', async () => {
  const path = await csv(`${url('a')},,`, `${url('b')},,`);
  await run('--csv-file', path, '--batch-size', '1');
  const journal = join(folder, 'results.jsonl.journal');
  const text = await readFile(journal, 'utf8');
  await writeFile(journal, text.slice(0, -20));
  expect((await run('--csv-file', path)).code).toBe(0);
  expect(keys).toHaveLength(3);
  expect(keys[2]).toBe(keys[1]);
  expect(await linesOf('results.jsonl')).toHaveLength(2);
});

test('of two runs over the same files at once the second is refused; a lock that a kill has left is taken over', async () => {
  const path = await csv(`${url('a')},,`);
  const lock = join(folder, 'results.jsonl.journal.lock');
  // Its own parent lives for as long as it does.
  await writeFile(lock, String(process.ppid));
  const refused = await run('--csv-file', path);
  expect([refused.code, keys]).toEqual([1, []]);
  expect(refused.err.at(-1)).toContain(`process ${process.ppid} works on`);
  const dead = await startProcess({ name: 'dead', args: ['--eval', ''], env: {} });
  await dead.exited;
  await writeFile(lock, String(dead.pid));
  expect((await run('--csv-file', path)).code).toBe(0);
  expect(await readdir(folder)).not.toContain('results.jsonl.journal.lock');
});

test('a file that is no journal is left as it is', async () => {
  const path = await csv(`${url('a')},,`);
  const journal = join(folder, 'results.jsonl.journal');
  for (const text of ['shopping: milk\n', '{"run":"1"}\n\0\0\n']) {
    await writeFile(journal, text);
    expect((await run('--csv-file', path)).code).toBe(64);
    expect(await readFile(journal, 'utf8')).toBe(text);
  }
});

test('rows that fail and run again, or that are there twice, never make more than all of them', async () => {
  answer = { status: 200, body: resource('failed', { code: 'image_undecodable', message: 'It is broken.' }) };
  const path = await csv(`${url('a')},,`, `${url('a')},,`);
  await run('--csv-file', path, '--batch-size', '1');
  const drawn: string[] = [];
  answer = { status: 200, body: resource('completed') };
  await run('--csv-file', path, '--batch-size', '1', '--retry-failed', (text) => drawn.push(text));
  expect(drawn.at(-1)).toContain('100% 2 of 2 rows done');
});
