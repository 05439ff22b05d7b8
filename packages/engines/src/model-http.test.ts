import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { z } from 'zod';
import { bodyOf, fetchByNode, readText } from './model-http.ts';
import { requestBody, type StructuredCall } from './model-request.ts';
import { callModel, createOpenAiClient } from './openai-responses.ts';
import { strictFormat } from './strict-schema.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

type Answering = (res: ServerResponse, req: IncomingMessage) => void | Promise<void>;

/** An API that answers as it is told to, and counts what it is asked. */
async function startApi(answer: Answering) {
  const seen = { requests: [] as string[], connections: 0 };
  const server = createServer((req, res) => {
    seen.requests.push(`${req.method} ${req.url}`);
    req.resume().on('end', () => void answer(res, req));
  });
  server.on('connection', () => (seen.connections += 1));
  return { seen, baseUrl: `${await listen(server)}/v1` };
}

/** @returns its origin. All its connections are closed after the test. */
async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const schema = z.object({ answer: z.string() });
const call: StructuredCall<z.infer<typeof schema>> = {
  instructions: '분류하세요. "Answer" \\ now.',
  text: '라벨을 떼나요? 🥤 "yes"\n\u0007 \ud83e',
  schema,
  schemaName: 'answer',
  maxOutputTokens: 500,
};
const image = { bytes: Buffer.from([0, 255, 62, 63, 1]), mediaType: 'image/jpeg' };

const response = (text: string) => ({
  model: 'gpt-5',
  status: 'completed',
  output: [{ type: 'message', content: [{ type: 'output_text', text }] }],
  usage: { input_tokens: 1, output_tokens: 1 },
});
const said = JSON.stringify({ answer: '라벨을 떼요 🥤' });

function ask(baseUrl: string, onText?: (text: string) => void) {
  const client = createOpenAiClient({ apiKey: 'sk-test', baseUrl, timeoutMs: 120_000 });
  const { signal } = new AbortController();
  return callModel(call, { client, model: 'gpt-5', signal, ...(onText && { onText }) });
}

test.each([
  ['text alone', {}, false],
  ['a photo', { image }, false],
  ['a photo with its detail, and an effort', { image: { ...image, detail: 'low' }, reasoningEffort: 'low' }, false],
  ['a stream', {}, true],
] as const)('a call with %s has the body that the SDK of OpenAI would write', async (_name, extra, isStreamed) => {
  const asked: StructuredCall<unknown> = { ...call, ...extra };
  const sent: unknown[] = [];
  const sdk = new OpenAI({
    apiKey: 'sk-test',
    baseURL: 'https://models.example/v1',
    fetch: async (input, init) => {
      sent.push(await new Request(input, init).json());
      return Response.json(response(said));
    },
  });
  const url = `data:image/jpeg;base64,${image.bytes.toString('base64')}`;
  const { detail = 'auto' } = asked.image ?? {};
  await sdk.responses.create({
    model: 'gpt-5',
    instructions: asked.instructions,
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: asked.text },
          ...(asked.image ? [{ type: 'input_image', detail, image_url: url } as const] : []),
        ],
      },
    ],
    text: { format: strictFormat(schema, 'answer') },
    store: false,
    max_output_tokens: 500,
    ...(asked.reasoningEffort ? { reasoning: { effort: asked.reasoningEffort } } : {}),
    ...(isStreamed ? { stream: true } : {}),
  });
  const body: unknown = JSON.parse(requestBody(asked, { model: 'gpt-5', isStreamed }).toString());
  expect(sent).toEqual([body]);
});

test.each<[keyof StructuredCall<unknown>, Partial<StructuredCall<unknown>>]>([
  ['instructions', { instructions: 'others' }],
  ['text', { text: 'another' }],
  ['schema', { schema: z.object({ other: z.string() }) }],
  ['schemaName', { schemaName: 'other' }],
  ['maxOutputTokens', { maxOutputTokens: 501 }],
  ['reasoningEffort', { reasoningEffort: 'high' }],
])('a call with another %s is asked as such, right behind the first', (_name, other) => {
  const asking = { model: 'gpt-5', isStreamed: false };
  const first = requestBody(call, asking).toString();
  expect(requestBody({ ...call, ...other }, asking).toString()).not.toBe(first);
  expect(requestBody(call, asking).toString()).toBe(first);
});

test('another model is asked by its name, and a stream as one', () => {
  const bodyOf = (model: string, isStreamed: boolean) =>
    JSON.parse(requestBody(call, { model, isStreamed }).toString()) as object;
  expect(bodyOf('a', false)).not.toHaveProperty('stream');
  expect(bodyOf('b', false)).toHaveProperty('model', 'b');
  expect(bodyOf('a', true)).toMatchObject({ model: 'a', stream: true });
});

test('the next call goes over the same connection, to the address with what stands behind it', async () => {
  const { baseUrl, seen } = await startApi((res) => {
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(response(said)));
  });
  for (let i = 0; i < 3; i += 1) await ask(`${baseUrl}/?api-version=preview`);
  expect(seen).toEqual({ requests: Array(3).fill('POST /v1/responses?api-version=preview'), connections: 1 });
});

/** An API that closes connections instead of an answer, at the requests that `closes` names; both count from 1 on. */
async function startClosingApi(closes: (connection: number, request: number) => boolean, napsBefore = 0) {
  const seen = new Map<unknown, string[]>();
  const server = createServer((req, res) => void answer(req, res));
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const bodies = [...(seen.get(req.socket) ?? []), await text(req)];
    seen.set(req.socket, bodies);
    if (!closes(seen.size, bodies.length)) {
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(response(said)));
      return;
    }
    // Short ones, as the client's looks are: in a standstill during a long one it could not look.
    for (let i = 0; i < napsBefore; i += 1) await delay(250);
    req.socket.resetAndDestroy();
  }
  const url = await listen(server);
  return { url, baseUrl: `${url}/v1`, bodiesByConnection: () => [...seen.values()] };
}

const body = requestBody(call, { model: 'gpt-5', isStreamed: false }).toString();

test('a call over a kept connection that the API had closed goes out again, whole, over a new one', async () => {
  const { baseUrl, bodiesByConnection } = await startClosingApi((_connection, request) => request === 2);
  for (let i = 0; i < 2; i += 1) expect(await ask(baseUrl)).toMatchObject({ value: JSON.parse(said) });
  expect(bodiesByConnection()).toEqual([[body, body], [body]]);
});

test.each([
  ['goes out again once', (connection: number, request: number) => connection + request > 2, [[body, body], [body]]],
  ['does not go out again where its connection was new', () => true, [[body]]],
])('a call that no connection bears %s', async (_name, closes, bodies) => {
  const { baseUrl, bodiesByConnection } = await startClosingApi(closes);
  if (bodies.length > 1) await ask(baseUrl);
  await expect(ask(baseUrl)).rejects.toMatchObject({ code: 'model_unavailable' });
  expect(bodiesByConnection()).toEqual(bodies);
});

test('a call under way for seconds when its kept connection broke is not sent again, and holds no photo', async () => {
  const { url, bodiesByConnection } = await startClosingApi((_connection, request) => request === 2, 12);
  const send = async (photo: Buffer) => await fetchByNode(url, { method: 'POST', body: photo });
  await readText(bodyOf(await send(Buffer.from('first'))));
  const photo = Buffer.allocUnsafeSlow(3_000).fill('photo');
  await expect(send(photo)).rejects.toMatchObject({ code: 'model_unavailable' });
  expect(photo).toHaveLength(0);
  expect(bodiesByConnection()).toEqual([['first', 'photo'.repeat(600)]]);
});

test('a kept connection gives the memory of a photo back once it has brought the answer', async () => {
  const { url, bodiesByConnection } = await startClosingApi(() => false);
  const photos = [1, 2].map((fill) => Buffer.allocUnsafeSlow(3_000).fill(fill));
  for (const photo of photos) await readText(bodyOf(await fetchByNode(url, { method: 'POST', body: photo })));
  expect(photos.map(({ length }) => length)).toEqual([0, 0]);
  expect(bodiesByConnection().map(({ length }) => length)).toEqual([2]);
});

test('a redirect is not followed: the photo goes nowhere but where the settings say', async () => {
  const { baseUrl, seen } = await startApi((res) => {
    res.writeHead(307, { location: '/elsewhere' }).end();
  });
  await expect(ask(baseUrl)).rejects.toMatchObject({ code: 'model_request_rejected' });
  expect(seen.requests).toEqual(['POST /v1/responses']);
});

test('the client of OpenAI sends the call, with its own headers and the very bytes of the body', async () => {
  const got = { headers: {} as IncomingHttpHeaders, url: '', body: Buffer.alloc(0) };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      Object.assign(got, { headers: req.headers, url: req.url, body: Buffer.concat(chunks) });
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(response(said)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => await new Promise<void>((resolve) => void server.close(() => resolve())));
  await ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  const body = requestBody(call, { model: 'gpt-5', isStreamed: false });
  expect(got).toMatchObject({ url: '/v1/responses', body });
  expect(got.headers).toMatchObject({
    authorization: 'Bearer sk-test',
    'content-type': 'application/json',
    'content-length': String(body.length),
    'accept-encoding': 'identity',
    'user-agent': expect.stringMatching(/^OpenAI\/JS /),
  });
});

test.each([
  [304, 'model_request_rejected'],
  [599, 'model_unavailable'],
  [999, 'model_unavailable'],
])('a status that has no place in HTTP or no body, %d, is a failure: %s', async (status, code) => {
  const { baseUrl } = await startApi((res) => void res.writeHead(status).end());
  await expect(ask(baseUrl)).rejects.toMatchObject({ code });
});

test('a refusal without an end is told by its status, and not kept in memory', async () => {
  const closed = Promise.withResolvers<void>();
  const { baseUrl } = await startApi((res) => {
    res.on('close', closed.resolve);
    pourOut(res.writeHead(429, { 'content-type': 'application/json', 'retry-after': '7' }));
  });
  await expect(ask(baseUrl)).rejects.toMatchObject({ name: 'RateLimitedError', retryAfterMs: 7_000 });
  await closed.promise;
});

function pourOut(res: ServerResponse): void {
  const more = () => {
    while (res.write(' '.repeat(1 << 16)));
  };
  res.on('drain', more);
  more();
}

test('an answer without an end is not kept in memory', async () => {
  const closed = Promise.withResolvers<void>();
  const { baseUrl } = await startApi((res) => {
    res.on('close', closed.resolve);
    pourOut(res.writeHead(200, { 'content-type': 'application/json' }));
  });
  await expect(ask(baseUrl)).rejects.toMatchObject({ code: 'model_output_invalid' });
  await closed.promise;
});

test.each([
  ['text/html', '<html>', 'model_output_invalid'],
  ['application/json; charset=utf-8', '{"model":"gpt', 'model_unavailable'],
])('a body of %s that is no response is %j: %s', async (type, body, code) => {
  const { baseUrl } = await startApi((res) => void res.writeHead(200, { 'content-type': type }).end(body));
  await expect(ask(baseUrl)).rejects.toMatchObject({ code });
});

test('a connection that breaks with its very first bytes is a failure at once', async () => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
    socket.once('data', () => socket.write(`${head}no chunk\r\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => await new Promise<void>((resolve) => void server.close(() => resolve())));
  const asked = ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  await expect(asked).rejects.toMatchObject({ code: 'model_unavailable' });
});

/** A stream as compatible APIs send it: some name their events, some end their lines otherwise, some say [DONE]. */
function eventsOf(style: 'named' | 'bare', lineEnd: string): string {
  const events = [
    ...Array.from(said, (delta) => ({ type: 'response.output_text.delta', delta })),
    { type: 'response.completed', response: response(said) },
  ];
  const lines = events.flatMap((event) => [
    ...(style === 'named' ? [`event: ${event.type}`] : []),
    `data: ${JSON.stringify(event)}`,
    '',
  ]);
  return [': hello', '', ...lines, 'data: [DONE]', '', ''].join(lineEnd);
}

test.each([
  ['named', '\n'],
  ['bare', '\n'],
  ['named', '\r\n'],
] as const)('a stream is read wherever it is cut, inside a character too (%s, %j)', async (style, lineEnd) => {
  const bytes = Buffer.from(eventsOf(style, lineEnd));
  const { baseUrl } = await startApi(async (res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let at = 0; at < bytes.length; at += 97) {
      res.write(bytes.subarray(at, at + 97));
      await delay(1);
    }
    res.end();
  });
  const heard: string[] = [];
  expect((await ask(baseUrl, (text) => heard.push(text))).value).toEqual(JSON.parse(said));
  expect(heard.at(-1)).toBe(said);
  expect(
    heard.every((text, i) => i === 0 || (text.length > (heard[i - 1] ?? '').length && said.startsWith(text))),
  ).toBe(true);
});

test('what arrives together is heard once', async () => {
  const { baseUrl } = await startApi((res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).end(eventsOf('named', '\n'));
  });
  const heard: string[] = [];
  await ask(baseUrl, (text) => heard.push(text));
  expect(heard).toEqual([said]);
});

test('an error without a name in a stream is told by its code', async () => {
  const { baseUrl } = await startApi((res) => {
    const event = JSON.stringify({ error: { code: 'insufficient_quota', message: 'secret' } });
    res.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${event}\n\n`);
  });
  await expect(ask(baseUrl, () => {})).rejects.toMatchObject({ code: 'model_quota_exhausted' });
});

test('a body arrives whole, and its memory is given back before the answer comes', async () => {
  const arrived = Promise.withResolvers<Buffer>();
  const answering = Promise.withResolvers<void>();
  const server = createServer((req, res) => {
    arrived.resolve(buffer(req));
    void answering.promise.then(() => res.end('heard'));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const body = Buffer.allocUnsafeSlow(3_000_000).fill('photo');
  const sent = Buffer.from(body);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const answer = fetchByNode(url, { method: 'POST', body });
  expect(sent.equals(await arrived.promise)).toBe(true);
  expect(body).toHaveLength(0);
  answering.resolve();
  expect(await readText(bodyOf(await answer))).toBe('heard');
});
