import { expect, test } from '@jest/globals';
import { identifyAsDemo } from './auth.ts';

const host = '127.0.0.1:8080';

test.each([
  [{ host }],
  [{ host: 'localhost:8080', 'sec-fetch-site': 'none' }],
  [{ host: '[::1]:8080', 'sec-fetch-site': 'same-origin', origin: 'http://[::1]:8080' }],
  [{ host: 'bunri.localhost', origin: 'http://bunri.localhost' }],
])('a demo answers programs and its own pages: %j', async (headers) => {
  expect(await identifyAsDemo(headers)).toMatchObject({ owner: 'demo' });
});

test.each([
  ['a page of another site', { host, 'sec-fetch-site': 'cross-site' }],
  ['a page of another site in a browser that says less', { host, origin: 'https://example.com' }],
  ['a page of another port of this machine', { host, 'sec-fetch-site': 'same-site', origin: 'http://127.0.0.1:3000' }],
  ['a name that was made to point here', { host: 'rebound.example:8080', 'sec-fetch-site': 'same-origin' }],
  ['a name that looks like this machine', { host: '127.0.0.1.example:8080' }],
  ['nobody', {}],
])('a demo, which asks for no key, is not to be used by %s', async (_who, headers) => {
  await expect(identifyAsDemo(headers)).rejects.toThrow(expect.objectContaining({ code: 'forbidden' }));
});
