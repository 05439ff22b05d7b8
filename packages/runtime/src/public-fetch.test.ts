import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createRawServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createPublicClient, ForbiddenUrlError, isPublicAddress, type PublicClient } from './public-fetch.ts';

const servers: Server[] = [];
const clients: PublicClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Answers with the address at which it was reached. */
async function serve(): Promise<number> {
  const server = createServer((request, response) => response.end(request.socket.localAddress));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function open(policy: Parameters<typeof createPublicClient>[0]): PublicClient {
  const client = createPublicClient(policy);
  clients.push(client);
  return client;
}

async function get(client: PublicClient, text: string): Promise<string> {
  const { signal } = new AbortController();
  const sent = client.request(client.check(text), { method: 'GET', headers: {}, signal }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return (await answer.setEncoding('utf8').toArray()).join('');
}

/** A name server whose answers change. */
function fakeResolver(...answers: string[][]) {
  const asked: string[] = [];
  return {
    asked,
    resolve: async (hostname: string) => {
      asked.push(hostname);
      return await Promise.resolve(answers[Math.min(asked.length, answers.length) - 1] ?? []);
    },
  };
}

describe('an address', () => {
  test.each(['8.8.8.8', '1.1.1.1', '2606:4700::1111', '2a00:1450:4001::200e'])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    '3fff::1',
    '100::1',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '5f00::1',
    'fe80::1%eth0',
    'localhost',
    '',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('a URL', () => {
  test.each([
    ['another protocol', 'ftp://example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['a script', 'javascript:alert(1)'],
    ['no protocol', '//example.com/'],
    ['nothing', ''],
    ['a user name', 'https://user@example.com/'],
    ['a password', 'https://:secret@example.com/'],
    ['another port', 'https://example.com:6379/'],
    ['the port of a database', 'http://example.com:5432/'],
    ['loopback', 'http://127.0.0.1/'],
    ['loopback in decimal', 'http://2130706433/'],
    ['loopback in octal', 'http://0177.0.0.1/'],
    ['loopback in one octal number', 'http://017700000001/'],
    ['loopback in hexadecimal', 'http://0x7f.0.0.1/'],
    ['loopback in one hexadecimal number', 'http://0x7f000001/'],
    ['loopback in short', 'http://127.1/'],
    ['loopback in full-width digits', 'http://１２７.0.0.1/'],
    ['loopback in circled letters', 'http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/'],
    ['loopback with a trailing dot', 'http://127.0.0.1./'],
    ['loopback by name', 'http://localhost/'],
    ['loopback by name with a trailing dot', 'http://localhost./'],
    ['loopback by name with two trailing dots', 'http://localhost../'],
    ['loopback by name with an ideographic dot', 'http://localhost。/'],
    ['a name below localhost', 'http://api.localhost/'],
    ['a name of the local network', 'http://printer.local/'],
    ['a name of a cloud', 'http://metadata.google.internal/'],
    ['a name without a domain', 'http://redis/'],
    ['no address', 'http://0/'],
    ['loopback of IPv6', 'http://[::1]/'],
    ['IPv4 in IPv6', 'http://[::ffff:169.254.169.254]/'],
    ['NAT64', 'http://[64:ff9b::169.254.169.254]/'],
    ['6to4', 'http://[2002:a9fe:a9fe::1]/'],
    ['a zone', 'http://[fe80::1%25eth0]/'],
    ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data/'],
    ['broken Punycode', 'http://xn--a/'],
  ])('with %s is forbidden', (_what, text) => {
    expect(() => open({ allowHttp: true }).check(text)).toThrow(ForbiddenUrlError);
  });

  test.each([
    'https://example.com/',
    'https://example.com:443/a?b=c',
    'https://xn--mnchen-3ya.de/',
    'https://8.8.8.8/',
  ])('%s is allowed', (text) => {
    expect(open({ allowHttp: false }).check(text).href).toBe(new URL(text).href);
  });

  test('of http is allowed only by the policy, and loses its fragment', () => {
    expect(() => open({ allowHttp: false }).check('http://example.com/')).toThrow('https');
    expect(open({ allowHttp: true }).check('http://example.com/a#b').href).toBe('http://example.com/a');
  });

  test('of a redirect is checked as the first one', () => {
    const client = open({ allowHttp: false });
    const base = client.check('https://example.com/a/b');
    expect(client.check('c', base).href).toBe('https://example.com/a/c');
    expect(() => client.check('//127.0.0.1/', base)).toThrow(ForbiddenUrlError);
    expect(() => client.check('http://example.com/', base)).toThrow(ForbiddenUrlError);
  });
});

describe('a name', () => {
  const policy = { allowHttp: true, ports: 'any' } as const;

  test('is looked up once, and connected to where it was checked, whatever it answers next', async () => {
    const port = await serve();
    const { asked, resolve } = fakeResolver(['127.0.0.1'], ['127.0.0.2']);
    const client = open({ ...policy, allowAddresses: ['127.0.0.1'], resolve });
    expect(await get(client, `http://rebind.example.com:${port}/`)).toBe('127.0.0.1');
    expect(asked).toEqual(['rebind.example.com']);
    await expect(get(client, `http://rebind.example.com:${port}/`)).rejects.toThrow(ForbiddenUrlError);
  });

  test.each([
    ['loopback', ['127.0.0.1']],
    ['a public and a private address', ['8.8.8.8', '10.0.0.1']],
    ['IPv4 in IPv6', ['::ffff:127.0.0.1']],
    ['no address at all', []],
  ])('that leads to %s is forbidden', async (_what, addresses) => {
    const port = await serve();
    const client = open({ ...policy, resolve: fakeResolver(addresses).resolve });
    await expect(get(client, `http://sly.example.com:${port}/`)).rejects.toThrow(ForbiddenUrlError);
  });

  test('that cannot be looked up is no matter of policy', async () => {
    const gone = Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' });
    const client = open({ ...policy, resolve: async () => await Promise.reject(gone) });
    await expect(get(client, 'http://no.example.com/')).rejects.toBe(gone);
  });
});

test('an address that is not public is refused also where the URL was not checked before', () => {
  const { signal } = new AbortController();
  const options = { method: 'GET', headers: {}, signal } as const;
  expect(() => open({ allowHttp: true }).request(new URL('http://127.0.0.1/'), options)).toThrow(ForbiddenUrlError);
});

test('an answer that changes the protocol is an error, and keeps nobody waiting', async () => {
  const server = createRawServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = open({ allowHttp: true, ports: 'any', allowAddresses: ['127.0.0.1'] });
  await expect(get(client, `http://127.0.0.1:${port}/`)).rejects.toThrow('without an answer');
  await new Promise((resolve) => server.close(resolve));
});
