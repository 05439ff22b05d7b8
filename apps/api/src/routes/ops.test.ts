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

test('the page of operation holds no figures, and lets in nothing but this service’s own files', async () => {
  const answer = await get('/ops');
  const text = await answer.text();
  expect(answer.status).toBe(200);
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toMatch(/unsafe|http|\*/);
  expect(text).not.toMatch(/\son\w+=|style="|<style|https?:/);
  const files = [...new Set([...text.matchAll(/(?:src|href)="(\/ops\/assets\/[^"]+)"/g)].map(([, file = '']) => file))];
  expect(files).toHaveLength(3);
  for (const file of files) {
    const asset = await get(file);
    expect([asset.status, asset.headers.get('cache-control')]).toEqual([200, expect.stringContaining('immutable')]);
    expect((await asset.text()).replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\/|@import|url\(/);
  }
  expect((await get('/ops/assets/ops-0000000000000000.js')).status).toBe(404);
});

test('it speaks the language that is asked for, else the one that the browser prefers', async () => {
  const langOf = async (path: string, accepted: string) =>
    /<html lang="(\w+)"/.exec(await (await get(path, { 'accept-language': accepted })).text())?.[1];
  expect(await langOf('/ops?lang=en', 'ko')).toBe('en');
  expect(await langOf('/ops', 'ko')).toBe('ko');
  expect(await langOf('/ops', 'en-GB')).toBe('en');
});
