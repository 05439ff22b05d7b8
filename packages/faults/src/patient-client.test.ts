import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { Resource } from '@bunri/queue-contracts';
import type { ToldEvent } from './accounting.ts';
import { audit } from './audit.ts';
import { createLedger } from './ledger.ts';
import { createPatientClient, GaveUp } from './patient-client.ts';

const id = `req_${'0'.repeat(32)}`;
const stopping = new AbortController();
const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** An api that answers each request by the next of the handlers, and by the last one from then on. */
async function apiThat(...handlers: Handle[]) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const handle = handlers[Math.min(seen.length, handlers.length - 1)];
    seen.push(request);
    handle?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clientOf = (patienceMs: number) => createPatientClient({ apiUrl, signal: stopping.signal, patienceMs });
  return { client: clientOf(60_000), impatient: clientOf(2_000), seen };
}

const says =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handle =>
  (_request, response) => {
    response.writeHead(status, headers).end(JSON.stringify(body));
  };
const breaks: Handle = (request) => request.socket.destroy();

function streams(from: number, to: number, end: 'breaks' | 'completed'): Handle {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let seq = from; seq <= to; seq += 1) {
      const type = seq === to && end === 'completed' ? 'completed' : 'stage.started';
      response.write(`id: ${seq}\nevent: ${type}\ndata: {"stage":"rag"}\n\n`);
    }
    if (end === 'completed') response.end();
    // The beginning of an event that never comes as a whole.
    else response.write(`id: ${to + 1}\nevent: comp`, () => response.destroy());
  };
}

const now = new Date().toISOString();
const resource: Resource = {
  id,
  status: 'queued',
  created_at: now,
  completed_at: null,
  deadline_at: now,
  stages: [],
  image: null,
  question: '',
  locale: 'en',
  classification: null,
  guidance: null,
  clarification: null,
  clarifies: null,
  usage: {},
  cached: false,
  degraded: false,
  replay_of: null,
  models: null,
  region: null,
  metadata: null,
  webhook_url: null,
  batch: null,
  trace_id: null,
  error: null,
};
const submission = { key: 'one key', photo: new Uint8Array([1]), question: 'where?' };

test('a submission is sent again with the same key until it has an id', async () => {
  const { client, seen } = await apiThat(
    breaks,
    says(503, { code: 'service_unavailable' }, { 'retry-after': '0' }),
    says(202, resource),
  );
  expect((await client.submit(submission)).id).toBe(id);
  expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['one key', 'one key', 'one key']);
});

test('a refusal is final, and trying for too long is given up', async () => {
  const refusing = await apiThat(says(410, { code: 'forgotten' }));
  await expect(refusing.client.get(id)).rejects.toMatchObject({ status: 410, code: 'forgotten' });
  expect(refusing.seen).toHaveLength(1);
  const away = await apiThat(breaks);
  await expect(away.impatient.get(id)).rejects.toThrow(GaveUp);
});

test('events are told once and in order over broken connections, and half an event is none', async () => {
  const { client, seen } = await apiThat(streams(1, 3, 'breaks'), breaks, streams(4, 6, 'completed'));
  const told: ToldEvent[] = [];
  await client.follow(id, (event) => told.push(event));
  expect(told.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(told.at(-1)).toEqual({ seq: 6, type: 'completed', stage: 'rag' });
  expect(seen.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '3', '3']);
});

test('a stream that ends with a problem is the end of its request, and no event of it', async () => {
  const data = JSON.stringify({ status: 410, code: 'request_lost' });
  const { client } = await apiThat((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`id: 1\nevent: accepted\ndata: {}\n\nevent: error\ndata: ${data}\n\n`);
  });
  const told: ToldEvent[] = [];
  const following = client.follow(id, (event) => told.push(event));
  await expect(following).rejects.toMatchObject({ status: 410, code: 'request_lost' });
  expect(told).toEqual([{ seq: 1, type: 'accepted', stage: null }]);
});

test.each([
  ['denied by the api', says(404, { code: 'not_found' }), { kind: 'unknown' }],
  ['open long after its deadline', says(200, { ...resource, status: 'running' }), { kind: 'open', overdue: true }],
  ['gone', says(410, { code: 'forgotten' }), { kind: 'gone', code: 'forgotten' }],
] as const)('the audit finds a request that was accepted and is %s', async (_what, handle, ending) => {
  const deadline_at = new Date(Date.now() - 80_000).toISOString();
  const { client } = await apiThat(says(202, { ...resource, deadline_at }), handle);
  const ledger = createLedger();
  await ledger.submit(client, submission);
  const records = { events: async () => [] };
  const observed = await audit(ledger.entries, { records, signal: stopping.signal });
  expect(observed).toMatchObject([{ id, key: 'one key', ending }]);
});
