import { afterEach, expect, test } from '@jest/globals';
import { breaks, ended, gather, id, problem, serve, streams, type Handle } from './broken-server.ts';
import type { ClientOptions } from './client.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function apiThat(handlers: readonly Handle[], options: Partial<ClientOptions> = {}) {
  const api = await serve(handlers, options);
  closers.push(api.close);
  const follow = async (given = {}) => (await gather(api.client.events(id, given))).map(({ seq }) => seq);
  return { ...api, follow };
}

const nothingMore: Handle = (_request, response) => {
  response.writeHead(204).end();
};

test('every event is told once and in order, whatever breaks in between, and each connection resumes after the last', async () => {
  const { follow, seen } = await apiThat([
    streams(1, 2, 'breaks'),
    breaks,
    problem(503, 'service_unavailable', { 'retry-after': '5' }),
    // Repeats what was told already, as a server may that resumes less exactly.
    streams(1, 3, 'closes'),
    streams(4, 6, 'completed'),
  ]);
  expect(await follow()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(seen.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2', '2', '2', '3']);
  expect(seen.every(({ headers }) => headers.accept === 'text/event-stream')).toBe(true);
});

test('the last event has the request as it ended, and nobody connects again after it', async () => {
  const { client, seen } = await apiThat([streams(1, 2, 'completed')]);
  const all = await gather(client.events(id));
  expect(all.at(-1)?.resource).toEqual(ended);
  expect(seen).toHaveLength(1);
});

test('a client resumes after what it has seen, and 204 ends it', async () => {
  const { follow, seen } = await apiThat([streams(5, 5, 'closes'), nothingMore]);
  expect(await follow({ after: 4 })).toEqual([5]);
  expect(seen.map(({ headers }) => headers['last-event-id'])).toEqual(['4', '5']);
});

test('the pause before the next connection is what the stream asks for', async () => {
  const { follow, pauses } = await apiThat([streams(1, 1, 'closes'), streams(2, 3, 'completed')]);
  await follow();
  expect(pauses).toEqual([2_000]);
});

test('an unknown or lost request is told as a problem, and an API that is away for too long as no connection', async () => {
  const unknown = await apiThat([problem(404, 'not_found')]);
  await expect(unknown.follow()).rejects.toMatchObject({ code: 'not_found', status: 404 });
  const lost = await apiThat([
    (_request, response) => {
      const document = { code: 'request_lost', status: 410, detail: 'Send it again.', title: 'Lost' };
      response.writeHead(200).end(`event: error\ndata: ${JSON.stringify(document)}\n\n`);
    },
  ]);
  await expect(lost.follow()).rejects.toMatchObject({ code: 'request_lost', status: 410, message: 'Send it again.' });
  const away = await apiThat([streams(1, 1, 'breaks'), breaks]);
  await expect(away.follow({ patienceMs: 30_000 })).rejects.toMatchObject({ name: 'ConnectionError' });
  expect(away.pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(30_000);
});

test('who leaves closes the connection, and a signal ends a stream that says nothing', async () => {
  let closed: Promise<void> | undefined;
  const endless: Handle = (_request, response) => {
    closed = new Promise((resolve) => response.once('close', resolve));
    response.writeHead(200).write('id: 1\nevent: accepted\ndata: {"seq":1,"type":"accepted"}\n\n');
  };
  const left = await apiThat([endless]);
  for await (const { seq } of left.client.events(id)) {
    expect(seq).toBe(1);
    break;
  }
  await closed;

  const stop = new AbortController();
  const { client } = await apiThat([endless]);
  const reading = (async () => {
    for await (const _ of client.events(id, { signal: stop.signal })) stop.abort(new Error('enough'));
  })();
  await expect(reading).rejects.toThrow('enough');
  await closed;
});
