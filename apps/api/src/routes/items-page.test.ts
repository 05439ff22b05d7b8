import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { catalogue, sources } from '@bunri/knowledge';
import { wasteCategories } from '@bunri/queue-contracts';
import { startTestApi, type TestApi } from '../test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(async () => {
  await api.close();
});

async function page(query = '', headers: Record<string, string> = {}) {
  const answer = await api.fetch(`/items${query}`, { key: null, headers });
  return { answer, text: await answer.text() };
}

const cardsOf = (text: string) => [...text.matchAll(/<details id="([^"]+)"( open)?>/g)].map(([, id]) => id ?? '');
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll("'", '&#39;').replaceAll('"', '&quot;');
const [first] = catalogue.items;
if (!first) throw new Error('the catalogue is empty');

test('the page needs no key and names every item, each with a link that leads to it', async () => {
  const { answer, text } = await page('?lang=ko');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  for (const { id, names } of catalogue.items)
    expect(text).toContain(`item=${id}&amp;lang=ko">${escaped(names.ko)}</a>`);
  const one = await page(`?item=${first.id}&lang=en`);
  expect(cardsOf(one.text)).toEqual([first.id]);
  for (const { id, text: said } of first.rules) {
    expect(one.text).toContain(`<code>${id}</code>`);
    expect(one.text).toContain(escaped(said.en));
  }
});

test('every item of a bin is on the page of the bin with all its rules, and every source that they cite', async () => {
  const shown: string[] = [];
  for (const category of wasteCategories) {
    const { text } = await page(`?category=${category}&lang=en`);
    const ids = cardsOf(text);
    const items = catalogue.items.filter(({ wasteCategory }) => wasteCategory === category);
    expect(ids.toSorted()).toEqual(items.map(({ id }) => id).toSorted());
    const rules = items.flatMap((item) => item.rules);
    const shownRules = [...text.matchAll(/<code>([^<]+)<\/code>/g)].map(([, rule = '']) => rule);
    expect(shownRules.toSorted()).toEqual(rules.map((rule) => rule.id).toSorted());
    const cited = new Set(rules.map((rule) => `source-${rule.source}`));
    const listed = [...text.matchAll(/<li id="(source-[^"]+)"/g)].map(([, source]) => source);
    expect(new Set(listed)).toEqual(cited);
    for (const anchor of new Set([...text.matchAll(/href="#([^"]+)"/g)].map(([, of]) => of)))
      expect(text).toContain(`id="${anchor}"`);
    shown.push(...ids);
  }
  expect(shown.length).toBe(catalogue.items.length);
  expect(sources.length).toBeGreaterThan(0);
});

test('a search shows its best match first and open, keeps what was typed, and may be narrowed to a bin', async () => {
  const { text } = await page(`?q=${encodeURIComponent(first.names.ko)}&category=&lang=ko`);
  expect(cardsOf(text)[0]).toBe(first.id);
  expect(text).toContain(`<details id="${first.id}" open>`);
  expect(text).toContain(`value="${escaped(first.names.ko)}"`);
  const other = wasteCategories.find((category) => category !== first.wasteCategory) ?? 'food';
  const narrowed = await page(`?q=${encodeURIComponent(first.names.ko)}&category=${other}&lang=ko`);
  expect(cardsOf(narrowed.text)).not.toContain(first.id);
  expect(narrowed.text).toContain(`<option value="${other}" selected>`);
});

test('what finds nothing says so, and what is typed is never taken for a part of the page', async () => {
  const hostile = '"><script>alert(1)</script>';
  const { text } = await page(`?q=${encodeURIComponent(hostile)}&lang=en`);
  expect(text).not.toContain('<script');
  expect(text).toContain('&quot;&gt;&lt;script&gt;');
  expect((await page('?q=zzzzqqq&lang=en')).text).toContain('No item matches.');
  const unknown = await page('?item=%3Cb%3E&lang=en');
  expect(unknown.answer.status).toBe(404);
  expect(unknown.text).toContain('There is no such item.');
  expect(unknown.text).not.toContain('<b>');
});

test('the language is the one that is asked for, else the one that the browser prefers', async () => {
  expect((await page('?lang=en', { 'accept-language': 'ko' })).text).toContain('<html lang="en">');
  expect((await page('', { 'accept-language': 'en-US,en;q=0.9' })).text).toContain('<html lang="en">');
  expect((await page('', { 'accept-language': 'fr' })).text).toContain('<html lang="ko">');
  const { text } = await page('?q=can&lang=en');
  expect(text).toContain('href="/items?q=can&amp;lang=ko" hreflang="ko" lang="ko"');
});

test('Korean on an English page is marked as Korean, for those who have it read to them', async () => {
  for (const query of ['', ...wasteCategories.map((category) => `&category=${category}`), '&q=battery']) {
    const { text } = await page(`?lang=en${query}`);
    const english = text.replaceAll(/<(\w+) [^>]*lang="ko"[^>]*>[^]*?<\/\1>/g, '');
    expect(english.split('\n').filter((line) => /[가-힣]/.test(line))).toEqual([]);
  }
});

test('the policy lets in this page’s own style and nothing else, and the page has nothing else', async () => {
  const { answer, text } = await page();
  const [, style = ''] = /<style>([^]*?)<\/style>/.exec(text) ?? [];
  const hash = createHash('sha256').update(style).digest('base64');
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy.split('; ')).toEqual(
    expect.arrayContaining(["default-src 'none'", `style-src 'sha256-${hash}'`, "frame-ancestors 'none'"]),
  );
  expect(policy).not.toContain('unsafe');
  expect(text).not.toMatch(/<(script|img|link|iframe)|\son\w+=|style="/);
});

test('every field has a label, every page one heading of the first rank, and ids are unique', async () => {
  for (const query of ['', '?category=recyclable', '?q=can&lang=en', `?item=${first.id}`]) {
    const { text } = await page(query);
    for (const [, id] of text.matchAll(/<(?:input|select) id="([^"]+)"/g))
      expect(text).toContain(`<label for="${id}">`);
    expect(text.match(/<h1>/g)).toHaveLength(1);
    const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  }
});

test('the page of a bin is the same for the next reader, and HEAD tells its length alone', async () => {
  const { answer, text } = await page('?category=food&lang=en');
  const again = await page('?category=food&lang=en&q=');
  expect(again.text).toBe(text);
  expect((await page('?category=food&lang=ko')).text).not.toBe(text);
  const head = await api.fetch('/items?category=food&lang=en', { method: 'HEAD', key: null });
  expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
  expect(head.headers.get('etag')).toBe(answer.headers.get('etag'));
  expect(await head.text()).toBe('');
});

test('a page that a browser has is not sent again, and what is no query is refused', async () => {
  const { answer } = await page('?lang=en');
  const headers = { 'if-none-match': answer.headers.get('etag') ?? '' };
  expect((await page('?lang=en', headers)).answer.status).toBe(304);
  expect((await page('?lang=ko', headers)).answer.status).toBe(200);
  for (const query of ['?category=soup', '?lang=fr', `?q=${'x'.repeat(201)}`])
    expect((await page(query)).answer.status).toBe(400);
  expect((await page('?q=can&utm_source=poster')).answer.status).toBe(200);
});
