import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestApi, type TestApi } from '../test-api.ts';

interface Description {
  readonly paths: Record<string, Record<string, { operationId: string; summary: string }>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

let api: TestApi;
let text: string;
let policy: string;
let described: Description;
beforeAll(async () => {
  api = await startTestApi();
  const answer = await api.fetch('/docs', { key: null });
  text = await answer.text();
  policy = answer.headers.get('content-security-policy') ?? '';
  described = (await (await api.fetch('/openapi.json', { key: null })).json()) as Description;
});
afterAll(async () => {
  await api.close();
});

test('the reference has every operation and every schema of the description', () => {
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, { operationId }] of Object.entries(methods)) {
      expect(text).toContain(`<article id="${operationId}">`);
      expect(text).toContain(`<span class="method">${method.toUpperCase()}</span> <code>${path}</code>`);
    }
  }
  for (const name of Object.keys(described.components.schemas)) expect(text).toContain(`id="schema-${name}"`);
});

test('every link within the reference leads somewhere, and its ids are unique', () => {
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter((id) => !ids.includes(id))).toEqual([]);
});

test('the reference needs no script and nothing from elsewhere: kept in a file, it can be read without a network', () => {
  const [, style = ''] = /<style>([^]*?)<\/style>/.exec(text) ?? [];
  expect(policy).toContain(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  expect(policy).toContain("default-src 'none'");
  expect(text).not.toMatch(/<(script|img|link|iframe)|\son\w+=|style="/);
});

test('a reference that a browser has is not sent again', async () => {
  const { headers } = await api.fetch('/docs', { key: null });
  const again = await api.fetch('/docs', { key: null, headers: { 'if-none-match': headers.get('etag') ?? '' } });
  expect(again.status).toBe(304);
});
