import { expect, test } from '@jest/globals';
import { checkImageUrl } from './image-url.ts';
import { Problem } from './problem.ts';

const check = (url: string, allowHttp = false) => checkImageUrl(url, { allowHttp });

test.each([
  ['https://example.com/a.jpg?size=1', 'https://example.com/a.jpg?size=1'],
  ['https://example.com:443/a.jpg', 'https://example.com/a.jpg'],
  ['https://EXAMPLE.com/a.jpg#top', 'https://example.com/a.jpg'],
  ['https://8.8.8.8/a.jpg', 'https://8.8.8.8/a.jpg'],
  ['https://[2606:4700::1111]/a.jpg', 'https://[2606:4700::1111]/a.jpg'],
  ['https://사진.example/a.jpg', 'https://xn--vf4bi0o.example/a.jpg'],
])('a public https URL is taken: %s', (url, taken) => {
  expect(check(url)).toBe(taken);
});

test.each([
  ['no URL', 'photo.jpg'],
  ['http', 'http://example.com/a.jpg'],
  ['another scheme', 'ftp://example.com/a.jpg'],
  ['a file', 'file:///etc/passwd'],
  ['a data URL', 'data:image/png;base64,AAAA'],
  ['a user name', 'https://ann@example.com/a.jpg'],
  ['a password', 'https://:secret@example.com/a.jpg'],
  ['another port', 'https://example.com:6379/a.jpg'],
  ['loopback', 'https://127.0.0.1/a.jpg'],
  ['loopback, decimal', 'https://2130706433/a.jpg'],
  ['loopback, hexadecimal', 'https://0x7f.1/a.jpg'],
  ['loopback, octal', 'https://0177.0.0.1/a.jpg'],
  ['loopback, full-width digits', 'https://１２７.0.0.1/a.jpg'],
  ['loopback, with a dot at the end', 'https://127.0.0.1./a.jpg'],
  ['loopback, IPv6', 'https://[::1]/a.jpg'],
  ['loopback, IPv4-mapped', 'https://[::ffff:127.0.0.1]/a.jpg'],
  ['loopback, IPv4-compatible', 'https://[::127.0.0.1]/a.jpg'],
  ['loopback, behind NAT64', 'https://[64:ff9b::7f00:1]/a.jpg'],
  ['loopback, in 6to4', 'https://[2002:7f00:1::]/a.jpg'],
  ['a private network', 'https://10.1.2.3/a.jpg'],
  ['a private network, IPv4-mapped', 'https://[::ffff:192.168.0.1]/a.jpg'],
  ['link-local, where clouds keep credentials', 'https://169.254.169.254/latest/meta-data'],
  ['link-local, IPv6', 'https://[fe80::1]/a.jpg'],
  ['unique local, IPv6', 'https://[fd00:ec2::254]/a.jpg'],
  ['carrier-grade NAT', 'https://100.64.0.1/a.jpg'],
  ['the unspecified address', 'https://0.0.0.0/a.jpg'],
  ['broadcast', 'https://255.255.255.255/a.jpg'],
  ['multicast', 'https://224.0.0.1/a.jpg'],
  ['localhost', 'https://localhost/a.jpg'],
  ['localhost, with a dot at the end', 'https://localhost./a.jpg'],
  ['a name below localhost', 'https://a.localhost/a.jpg'],
  ['a service of the cluster', 'https://redis/a.jpg'],
  ['a service of the cluster, in full', 'https://redis.workers.svc.cluster.local/a.jpg'],
  ['a name of an internal zone', 'https://metadata.google.internal/a.jpg'],
])('%s is refused', (_name, url) => {
  expect(() => check(url)).toThrow(Problem);
  expect(() => check(url)).toThrow(expect.objectContaining({ code: 'image_url_forbidden' }));
});

test('http is taken only where it is allowed, and even then from public hosts alone', () => {
  expect(check('http://example.com/a.jpg', true)).toBe('http://example.com/a.jpg');
  expect(() => check('http://127.0.0.1/a.jpg', true)).toThrow(Problem);
});
