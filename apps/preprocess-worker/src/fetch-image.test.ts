import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { createImageFetcher, type ImageFetcherOptions } from './fetch-image.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Reaches the test's own server at 127.0.0.1, and no other address that is not public. */
function fetcher(options: Partial<ImageFetcherOptions> = {}) {
  const policy = { allowHttp: true, ports: 'any', allowAddresses: ['127.0.0.1'] } as const;
  return createImageFetcher({ maxBytes: 1000, timeoutMs: 60_000, ...policy, ...options });
}

const { signal } = new AbortController();
const redirectTo =
  (location: string): RequestListener =>
  (_request, response) => {
    response.writeHead(302, { location }).end();
  };

test('the body is streamed', async () => {
  const url = await serve((_request, response) => response.end('a photo'));
  expect((await buffer(await fetcher()(url, signal))).toString()).toBe('a photo');
});

test.each([
  ['http', 'http://example.com/photo.jpg', { allowHttp: false }],
  ['another protocol', 'ftp://example.com/photo.jpg', {}],
  ['a file', 'file:///etc/passwd', {}],
  ['credentials', 'https://user:secret@example.com/photo.jpg', {}],
  ['a port that is none of the web', 'http://example.com:6379/photo.jpg', { ports: [80, 443] }],
  ['loopback', 'http://127.0.0.1:9/', { allowAddresses: [] }],
  ['loopback by name', 'http://localhost:9/', { allowAddresses: [] }],
  ['loopback over https', 'https://127.0.0.1:9/', { allowAddresses: [] }],
  ['loopback as one number', 'http://2130706433:9/', { allowAddresses: [] }],
  ['loopback of IPv6', 'http://[::1]:9/', {}],
  ['an IPv4 address in IPv6', 'http://[::ffff:10.0.0.1]/', {}],
  ['no address', 'http://0.0.0.0:9/', {}],
  ['a private network', 'http://10.0.0.1/', {}],
  ['another private network', 'http://192.168.0.1/', {}],
  ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data/', {}],
])('%s is forbidden', async (_what, url, options) => {
  await expect(fetcher(options)(url, signal)).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'image_url_forbidden',
  });
});

test.each([
  ['a private address', 'http://10.0.0.1/'],
  ['the metadata service', 'http://169.254.169.254/'],
  ['a file', 'file:///etc/passwd'],
  ['a name that leads to a private address', 'http://sly.example.com/'],
])('a redirect to %s is forbidden', async (_what, target) => {
  const url = await serve(redirectTo(target));
  const resolve = async () => await Promise.resolve(['10.0.0.1']);
  await expect(fetcher({ resolve })(url, signal)).rejects.toMatchObject({ code: 'image_url_forbidden' });
});

test('three redirects are followed, and a fourth is not', async () => {
  const url = await serve((request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) response.end('arrived');
    else response.writeHead(307, { location: `/${left - 1}` }).end();
  });
  expect((await buffer(await fetcher()(`${url}/3`, signal))).toString()).toBe('arrived');
  await expect(fetcher()(`${url}/4`, signal)).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'image_url_unreachable',
  });
});

test('a file that is announced as too large is not read', async () => {
  const url = await serve((_request, response) => response.writeHead(200, { 'content-length': 1001 }).flushHeaders());
  await expect(fetcher()(url, signal)).rejects.toMatchObject({ code: 'image_too_large' });
});

test('a file that turns out to be too large is cut off, and the other side notices', async () => {
  const cutOff = Promise.withResolvers<void>();
  const url = await serve((_request, response) => {
    response.on('close', cutOff.resolve);
    response.write(Buffer.alloc(1001));
  });
  const body = await fetcher()(url, signal);
  await expect(buffer(body)).rejects.toMatchObject({ name: 'PermanentError', code: 'image_too_large' });
  await cutOff.promise;
});

test.each([
  [404, 'PermanentError'],
  [403, 'PermanentError'],
  [429, 'TransientError'],
  [503, 'TransientError'],
])('an answer with status %i is a %s', async (status, name) => {
  const url = await serve((_request, response) => response.writeHead(status).end());
  await expect(fetcher()(url, signal)).rejects.toMatchObject({ name, code: 'image_url_unreachable' });
});

test.each([
  ['never answers', () => undefined],
  ['stops in the middle', (_request, response) => response.write('half')],
] as [string, RequestListener][])('a server that %s is left in time', async (_what, listener) => {
  const url = await serve(listener);
  const fetched = fetcher({ timeoutMs: 100 })(url, signal).then(buffer);
  await expect(fetched).rejects.toMatchObject({ name: 'TransientError', code: 'image_url_unreachable' });
});

test('a server that breaks off is a transient failure', async () => {
  const url = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('half', () => response.destroy());
  });
  const fetched = fetcher()(url, signal).then(buffer);
  await expect(fetched).rejects.toMatchObject({ name: 'TransientError', code: 'image_url_unreachable' });
});

test('a server that changes the protocol is a transient failure, and holds up nobody', async () => {
  const switched = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n';
  const url = await serve((_request, response) => response.socket?.write(switched));
  const fetched = fetcher()(url, signal);
  await expect(fetched).rejects.toMatchObject({ name: 'TransientError', code: 'image_url_unreachable' });
});

test('nobody at the port is a transient failure', async () => {
  const url = await serve(() => undefined);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  await expect(fetcher()(url, signal)).rejects.toMatchObject({ name: 'TransientError', code: 'image_url_unreachable' });
});

test.each(['before the answer', 'within the body'])('an abort %s ends the fetch with its own reason', async (when) => {
  const abort = new AbortController();
  const reason = new Error('stage aborted');
  const url = await serve((_request, response) => {
    if (when === 'within the body') response.write('half');
    else abort.abort(reason);
  });
  const fetched = fetcher()(url, abort.signal).then(async (body) => {
    abort.abort(reason);
    return await buffer(body);
  });
  await expect(fetched).rejects.toBe(reason);
});
