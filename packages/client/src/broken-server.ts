// An API that breaks connections, for the tests of this folder.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Resource } from '@bunri/queue-contracts';
import { createClient, type ClientOptions } from './client.ts';

export type Handle = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export async function gather<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** Answers each request by the next of the handlers, and by the last one from then on. Pauses are told and take no time. */
export async function serve(handlers: readonly Handle[], options: Partial<ClientOptions> = {}) {
  const seen: Seen[] = [];
  const pauses: number[] = [];
  let at = 0;
  const server = createServer((request, response) => {
    const handle = handlers[Math.min(seen.length, handlers.length - 1)];
    const { method = '', url: path = '', headers } = request;
    let body = '';
    const mine = { method, path, headers, body };
    seen.push(mine);
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('error', () => undefined);
    request.on('end', () => {
      mine.body = body;
      handle?.(request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient({
    baseUrl,
    now: () => at,
    random: () => 0,
    delay: async (ms, signal) => {
      signal?.throwIfAborted();
      pauses.push(ms);
      at += ms;
      await Promise.resolve();
    },
    ...options,
  });
  return {
    client,
    url: baseUrl,
    seen,
    pauses,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export const says =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handle =>
  (_request, response) => {
    response.writeHead(status, headers).end(JSON.stringify(body));
  };

export const problem = (status: number, code: string, headers: Record<string, string> = {}): Handle =>
  says(status, { title: 'No', detail: 'Do something else.', status, code, request_id: 'r-1' }, headers);

export const breaks: Handle = (request) => request.socket.destroy();

/** Says that more is to come than it sends. */
export const breaksOff: Handle = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"id":', () => response.destroy());
};

/** The events of these numbers; then the connection breaks within the next, or the request is completed by the last. */
export function streams(from: number, to: number, end: 'breaks' | 'closes' | 'completed'): Handle {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 2000\n\n: still here\n\n');
    for (let seq = from; seq <= to; seq += 1) {
      const isLast = seq === to && end === 'completed';
      const data = { seq, type: isLast ? 'completed' : 'stage.started', ...(isLast ? { resource: ended } : {}) };
      response.write(`id: ${seq}\nevent: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
    }
    if (end === 'breaks') response.write(`id: ${to + 1}\nevent: comp`, () => response.destroy());
    else response.end();
  };
}

export const id = `req_${'0'.repeat(32)}`;
export const open = { id, status: 'running', question: '이거 어떻게 버려요?' } as Resource;
export const ended = { ...open, status: 'completed' } as Resource;
