import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

const get = async (path: string, headers: Record<string, string> = {}) => await api.fetch(path, { key: null, headers });
const linksOf = (text: string) => [
  ...new Set([...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path)),
];

test('the page needs no key, names all that it loads, and lets in nothing else', async () => {
  const answer = await get('/');
  const text = await answer.text();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy.split('; ')).toEqual(
    expect.arrayContaining([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      // A form that is sent before the script is there would put the question into an address.
      "form-action 'none'",
      "require-trusted-types-for 'script'",
    ]),
  );
  expect(policy).not.toMatch(/unsafe|http|\*/);
  expect(text).not.toMatch(/\son\w+=|style="|<style|https?:/);
  expect(linksOf(text)).toHaveLength(3);
});

test('what the page loads may be kept for ever, since its name has the hash of its content', async () => {
  const types = new Set<string | null>();
  for (const path of linksOf(await (await get('/')).text())) {
    const answer = await get(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toContain('immutable');
    expect(path).toMatch(/-[0-9a-f]{16}\.(js|css|svg)$/);
    types.add(answer.headers.get('content-type'));
    // Nothing is fetched from elsewhere: the only address is a name.
    expect((await answer.text()).replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\/|@import|url\(/);
  }
  expect(types).toEqual(new Set(['image/svg+xml', 'text/css; charset=utf-8', 'text/javascript; charset=utf-8']));
  const unknown = await get('/assets/page-0000000000000000.js');
  expect(unknown.status).toBe(404);
  expect(unknown.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('the language is the one that is asked for, else the one chosen before, else the one that the browser prefers', async () => {
  const langOf = async (path: string, headers: Record<string, string> = {}) =>
    /<html lang="(\w+)"/.exec(await (await get(path, headers)).text())?.[1];
  const korean = { 'accept-language': 'ko' };
  expect(await langOf('/?lang=en', korean)).toBe('en');
  expect(await langOf('/', { ...korean, cookie: 'a=b; bunri-lang=en' })).toBe('en');
  expect(await langOf('/', { ...korean, cookie: 'bunri-lang=xx' })).toBe('ko');
  expect(await langOf('/', { 'accept-language': 'en-GB' })).toBe('en');
  expect(await langOf('/', { 'accept-language': 'fr' })).toBe('ko');
  expect((await get('/?lang=fr')).status).toBe(400);
});

test('a page that a browser has is not sent again, and who takes it packed gets it so', async () => {
  const plain = await get('/?lang=ko', { 'accept-encoding': 'identity' });
  const again = await get('/?lang=ko', { 'if-none-match': plain.headers.get('etag') ?? '' });
  expect([again.status, await again.text()]).toEqual([304, '']);
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(plain.headers.get('vary')).toBe('Accept-Language, Cookie, Accept-Encoding');
  const packed = await get('/?lang=ko', { 'accept-encoding': 'gzip' });
  expect(packed.headers.get('content-encoding')).toBe('gzip');
  // fetch unpacks it.
  expect(await packed.text()).toBe(await plain.text());
});
