import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { failure } from '@bunri/queue-contracts';
import { drawSamplePhoto, jpegWithExifOrientationAndGps } from '@bunri/testkit';
import { desk, launchBrowser, noBrowser, openWindow, pasteOrDrop, phone } from '../browser-fixture.ts';
import { played, startPlayedApi } from '../browser-fixture.ts';
import type { PlayedApi, Watched } from '../browser-fixture.ts';

/** Installing a browser where there is none takes a while, and so does a busy machine. */
const key = 'ann.secret-of-ann';
const { pet, other, plain, asking, hedged, markupInText } = played;

let browser: Browser;
let api: PlayedApi;
let isOverloaded = false;
let photo: Buffer;

/** Two seconds beyond the deadline of an interactive request while there is too much to do. */
const expected = async () => {
  const p95Ms = isOverloaded ? 122_000 : 9_000;
  return await Promise.resolve({ position: 3, completion: { p50Ms: p95Ms - 1_000, p95Ms, waitMs: p95Ms - 5_000 } });
};

// A test that cannot run says what is missing, and is passed over.
const where = noBrowser === null ? describe : describe.skip;
if (noBrowser !== null) process.stderr.write(`The page is not tested in a browser. ${noBrowser}\n`);

where('the page in a browser', () => {
  beforeAll(async () => {
    [browser, api, photo] = await Promise.all([
      launchBrowser(),
      startPlayedApi({ forecast: { ofLast: expected, ofNext: expected, ofCounted: expected } }),
      drawSamplePhoto({ width: 1200, height: 900, seed: 3 }),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await api?.close();
  });

  let watched: Watched;
  async function open(options: BrowserContextOptions, { withKey = true } = {}): Promise<Page> {
    watched = await openWindow(browser, options);
    const { page } = watched;
    // As if it had been given before, and told to be remembered.
    if (withKey) await page.addInitScript(`sessionStorage.setItem('bunri.key', '"${key}"')`);
    await page.goto(api.url);
    return page;
  }
  const clean = async (name: string) => expect([name, ...(await watched.check(name))]).toEqual([name]);
  const choose = async (page: Page, buffer = photo) => {
    await page.locator('#picker').setInputFiles({ name: 'photo.jpg', mimeType: 'image/jpeg', buffer });
    await page.locator('#preview img').waitFor();
  };
  const stage = (page: Page, name: string) => page.locator(`[data-stage="${name}"]`);
  const title = (page: Page) => page.locator('#answer h2');

  afterEach(async () => {
    isOverloaded = false;
    await watched.page.context().close();
    const [complaint] = watched.complaints;
    if (complaint !== undefined) throw new Error(`The browser complained: ${complaint}`);
  });

  test('on a phone a photo becomes guidance: key, place, live stages, the answer while it is written, its sources', async () => {
    const page = await open(phone, { withKey: false });
    await clean('phone-start');
    await choose(page, await drawSamplePhoto({ width: 3000, height: 2250 }));
    expect(await page.locator('#photo-note').textContent()).toContain('2048 × 1536');
    await watched.picture('phone-photo');
    await page.locator('#send').click();
    for (const wrong of ['no key: 열쇠', 'ann.wrong']) {
      await page.locator('#key-field').fill(wrong);
      await page.locator('#key button').click();
      await page.locator('#key .problem').waitFor();
    }
    await clean('phone-key');
    await page.locator('#key-field').fill(key);
    await page.locator('#key button').click();

    const id = await api.nextQueued();
    await page
      .locator('.place', { hasText: '앞에' })
      .or(page.locator('.place', { hasText: '차례' }))
      .waitFor();
    await watched.picture('phone-queued');
    await api.begin(id, 'preprocess');
    await api.end(id, 'preprocess');
    await api.begin(id, 'vision');
    await stage(page, 'vision').and(page.locator('[data-state="running"]')).waitFor();
    expect(await stage(page, 'preprocess').locator('.time').textContent()).toBe('1.2초');
    await clean('phone-working');

    // Loaded anew it goes on following, once it has the key again.
    await page.reload();
    await page.locator('#key-field').fill(key);
    await page.locator('#key button').click();
    await stage(page, 'vision').and(page.locator('[data-state="running"]')).waitFor();
    await api.end(id, 'vision');
    await api.begin(id, 'rag');
    await api.end(id, 'rag');
    await api.begin(id, 'llm');
    await api.records.delta({ id, stage: 'llm', token: 'run-llm' }, 0, '내용물을 비우고');
    await page.locator('.draft', { hasText: '내용물을 비우고' }).waitFor();
    await api.end(id, 'llm');

    await title(page).waitFor();
    expect(await title(page).textContent()).toBe('투명 페트병');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('투명 페트병');
    expect(await page.locator('.steps li').allTextContents()).toEqual(plain.llm.guidance.steps.map(({ text }) => text));
    expect(await page.locator('.bin').textContent()).toBe('재활용');
    expect(await page.locator('.remarks').textContent()).toContain('모의 모델');
    await page.locator('.sources summary').click();
    await page.locator('.sources li a').first().waitFor();
    expect(await page.locator('.sources li').first().textContent()).toContain(plain.llm.guidance.sources[0]?.rule_id);
    await clean('phone-answer');

    // Who comes back sees it again; the key was not to be kept, and is nowhere.
    expect(page.url()).toBe(`${api.url}/#${id}`);
    expect(await page.evaluate('sessionStorage.length + document.cookie.length')).toBe(0);
    expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain('secret');
    const stored = await api.records.get(id);
    expect(stored?.request.locale).toBe('ko');
  });

  test('at a desk a question back is answered, a wrong item corrected, and what made the answer is told', async () => {
    const page = await open(desk);
    await watched.picture('desk-start');
    await choose(page);
    await page.locator('[data-suggestion="1"]').click();
    await page.keyboard.press('Tab');
    await page.locator('#send').dblclick();
    const first = await api.nextQueued();
    await page.locator('.place', { hasText: 'ahead of yours' }).waitFor();
    // It is on its way, and is not sent once more.
    await page.locator('#send').click();
    expect((await api.records.get(first))?.request.question).toBe('Do I take off the label?');
    await api.finish(first, asking);
    await page.locator('.clarify').waitFor();
    await clean('desk-asks');
    await page.locator('.clarify .choices button').first().click();
    const second = await api.nextQueued();
    expect((await api.records.get(second))?.request.clarifies).toEqual({ of: first, itemId: pet.id });
    await stage(page, 'vision').and(page.locator('[data-state="done"]')).waitFor();
    await api.finish(second, hedged, 'rag');
    await title(page).waitFor();
    expect(await page.locator('.remarks').textContent()).toContain('without a language model');

    await page.locator('.wrong').click();
    await page.locator('#correct').fill(other.names.en);
    await page.locator('.correction .choices button', { hasText: other.names.en }).first().waitFor();
    await clean('desk-correct');
    await page.locator('.correction .choices button', { hasText: other.names.en }).first().click();
    const third = await api.nextQueued();
    expect((await api.records.get(third))?.request.clarifies).toEqual({ of: second, itemId: other.id });
    const feedback = (await api.objects()).filter((one) => one.startsWith('feedback/') && one.includes(second));
    expect(feedback).toHaveLength(1);
    await api.finish(third, plain, 'rag');
    await title(page).waitFor();
    await page.locator('.judgement button').first().click();
    await page.locator('.thanks').waitFor();

    // Back is what was looked at before, and forward is this again.
    await page.goBack();
    await page.locator('.remarks', { hasText: 'without a language model' }).waitFor();
    expect(page.url()).toBe(`${api.url}/#${second}`);
    await page.goForward();
    await page.locator('.remarks', { hasText: 'without a language model' }).waitFor({ state: 'detached' });
    await title(page).waitFor();

    // All three are remembered by this browser, and shown in the other language too.
    expect(await page.locator('.requests li').count()).toBe(3);
    await page.locator('.languages a[lang="ko"]').click();
    expect(await page.locator('html').getAttribute('lang')).toBe('ko');
    expect(await page.locator('#answer .eyebrow').textContent()).toBe('안내');
    await page.reload();
    expect(await page.locator('html').getAttribute('lang')).toBe('ko');
    await title(page).waitFor();
    await watched.picture('desk-answer');
  });

  test('an estimate and a fallback are told as such, and a failure with what to do; the photo stays for the next try', async () => {
    const page = await open(desk);
    await choose(page);
    await page.locator('#send').click();
    const failing = await api.nextQueued();
    await api.begin(failing, 'preprocess');
    await api.records.fail(failing, failure('model_unavailable', 'The model is away.', 'vision'));
    await page.locator('#trouble h2').waitFor();
    expect(await page.locator('#trouble').textContent()).toContain('The model service is in trouble');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('No answer this time');
    await clean('desk-failed');
    // The API has the next one: when it cannot be followed any more, it is looked at again, and not sent again.
    const broken = { status: 500, contentType: 'application/problem+json', body: '{"code":"internal_error"}' };
    await page.route('**/v1/classifications/req_*{,/events}', async (route) => await route.fulfill(broken));
    await page.locator('#trouble .primary').click();
    const again = await api.nextQueued();
    expect(again).not.toBe(failing);
    await page.locator('#trouble', { hasText: 'internal_error' }).waitFor();
    await page.unrouteAll();
    await page.locator('#trouble .primary').click();
    await page.locator('.place').waitFor();
    await api.finish(again, hedged);
    await title(page).waitFor();
    // What a model says is text, and the page could not be made to take it for anything else.
    expect(await page.locator('.warnings li').textContent()).toBe(markupInText);
    await expect(page.evaluate(`document.body.innerHTML = '<p>'`)).rejects.toThrow('TrustedHTML');
    expect(watched.complaints.splice(0).join(' ')).toContain('TrustedHTML');
    const remarks = await page.locator('.remarks li').allTextContents();
    expect(remarks.join(' ')).toMatch(/estimate.*without a language model.*the model did not respond/);
    await watched.picture('desk-hedged');

    await page.locator('#answer .actions .primary').click();
    await page.locator('#send').click();
    expect(await page.locator('#photo-note').textContent()).toBe('Take or choose a photo first.');
    for (const [content, said] of [
      ['no picture', 'cannot be opened'],
      ['\0\0\0\u0018ftypheic', 'HEIC'],
    ] as const) {
      const file = { name: 'a', mimeType: 'image/png', buffer: Buffer.from(content) };
      await page.locator('#picker').setInputFiles(file);
      await page.locator('#photo-note', { hasText: said }).waitFor();
    }
  });

  test('offline and overload are waited out, with the time that is left, and a request is canceled', async () => {
    const page = await open({ ...phone, viewport: { width: 320, height: 640 } });
    await choose(page);
    await page.context().setOffline(true);
    await page.locator('#connection').waitFor();
    await page.locator('#send').click();
    await page.locator('.notice', { hasText: '연결되면' }).waitFor();
    await clean('phone-offline');
    isOverloaded = true;
    await page.context().setOffline(false);
    await page.locator('.notice', { hasText: /[12]초 뒤에/ }).waitFor();
    await watched.picture('phone-overloaded');
    isOverloaded = false;
    const id = await api.nextQueued();
    await page
      .locator('.place', { hasText: '차례' })
      .or(page.locator('.place', { hasText: '앞에' }))
      .waitFor();
    await page.locator('#progress > button').click();
    await page.locator('#progress').waitFor({ state: 'hidden' });
    expect((await api.records.get(id))?.status).toBe('canceled');
    expect(await page.locator('#live').textContent()).toContain('취소했습니다');
    expect(await page.locator('#preview img').count()).toBe(1);
  });

  test('all of it can be done with a keyboard, and a picture may be pasted or dropped', async () => {
    const page = await open(desk);
    const press = async (...keys: string[]) => {
      for (const one of keys) await page.keyboard.press(one);
    };
    const focused = async () => await page.evaluate<string>('document.activeElement.id');
    const tabTo = async (id: string) => {
      for (let i = 0; i < 30 && (await focused()) !== id; i += 1) await press('Tab');
      expect(await focused()).toBe(id);
    };
    // Waited for early: the browser is told to hand it over, which takes a moment.
    const chooser = page.waitForEvent('filechooser');
    await tabTo('picker');
    await press('Enter');
    await (await chooser).setFiles({ name: 'photo.jpg', mimeType: 'image/jpeg', buffer: photo });
    await page.locator('#preview img').waitFor();
    await tabTo('question');
    await page.keyboard.type('Is the cap taken off?');
    await tabTo('send');
    await press('Enter');
    const id = await api.nextQueued();
    await api.finish(id, asking);
    await page.locator('.clarify').waitFor();
    // From the heading of the answer, where the focus is, the first option is the next stop.
    await press('Tab', 'Enter');
    const next = await api.nextQueued();
    await api.finish(next, plain, 'rag');
    await title(page).waitFor();
    expect(await page.evaluate('document.activeElement.tagName')).toBe('H2');

    await page.locator('#picker').setInputFiles({
      name: 'turned.jpg',
      mimeType: 'image/jpeg',
      buffer: await jpegWithExifOrientationAndGps(),
    });
    await page.locator('#photo-note', { hasText: '600 × 800' }).waitFor();
    await page.evaluate(pasteOrDrop('paste'));
    await page.locator('#photo-note', { hasText: '64 × 48' }).waitFor();
    await page.locator('#unpick').click();
    await page.locator('#preview').waitFor({ state: 'hidden' });
    await page.evaluate(pasteOrDrop('drop', "document.querySelector('#compose').requestSubmit()"));
    await api.nextQueued();
  });
});
