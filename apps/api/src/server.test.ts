import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import express from 'express';
import { receiveJson } from './json-body.ts';
import { Problem } from './problem.ts';
import { serveApp, type ApiServer } from './server.ts';

// Others may keep the machine busy.
let server: ApiServer | undefined;
afterEach(async () => {
  await server?.close(0);
});

/** A client that begins to send and then goes on with a byte now and then. */
async function trickle(port: number, beginning: string): Promise<{ answer: Promise<string>; socket: Socket }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => undefined);
  // A reset, which may come where the other side has closed already, is an end like any other.
  const answer = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  socket.write(beginning);
  const drip = setInterval(() => socket.write('x'), 50);
  for (const end of ['data', 'close']) socket.once(end, () => clearInterval(drip));
  return { answer, socket };
}

function appThat(read: (...exchange: Parameters<express.RequestHandler>) => Promise<void>) {
  const app = express();
  app.post('/', read);
  app.use((error: unknown, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
    const { status, headers } = error as Partial<Problem>;
    response
      .status(status ?? 500)
      .set(headers ?? {})
      .send('refused');
  });
  return app;
}

test('a client that trickles its headers is cut off', async () => {
  const limits = { headersTimeoutMs: 300, requestTimeoutMs: 600, checkEveryMs: 100 };
  server = await serveApp(express(), { port: 0, host: '127.0.0.1', ...limits });
  const { answer } = await trickle(server.port, 'GET / HTTP/1.1\r\nHost: a\r\nx-slow: ');
  // What the server wrote last may be lost with the reset.
  expect(await answer).toMatch(/^$|^HTTP\/1\.1 408 /);
});

test('a client that trickles its body is cut off at the end of the time for a whole request', async () => {
  const limits = { headersTimeoutMs: 300, requestTimeoutMs: 600, checkEveryMs: 100 };
  const app = appThat(async (request) => void (await once(request, 'end')));
  server = await serveApp(app, { port: 0, host: '127.0.0.1', ...limits });
  const { answer } = await trickle(server.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n');
  // What the server wrote last may be lost with the reset.
  expect(await answer).toMatch(/^$|^HTTP\/1\.1 408 /);
});

test('a JSON body that trickles in has its own, shorter time, an answer, and no connection after it', async () => {
  const app = appThat(async (request, response) => await receiveJson(request, response, { timeoutMs: 300 }));
  server = await serveApp(app, { port: 0, host: '127.0.0.1' });
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n';
  const { answer } = await trickle(server.port, head);
  const text = await answer;
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text).toContain('refused');
});

test('a JSON body that is announced as larger than it may be is refused before it comes', async () => {
  const app = appThat(async (request, response) => await receiveJson(request, response));
  server = await serveApp(app, { port: 0, host: '127.0.0.1' });
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n';
  const { answer, socket } = await trickle(server.port, head);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  expect(chunk.toString()).toMatch(/^HTTP\/1\.1 413 /);
  socket.destroy();
  await answer;
});
