import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { failure } from '@bunri/queue-contracts';
import { createKeys, dayInSeoul, newRequestId } from '@bunri/runtime';
import { desk, launchBrowser, noBrowser, openWindow, phone, type Watched } from '../browser-fixture.ts';
import { startTestApi, type TestApi } from '../test-api.ts';
import { bearer, bearerKey } from '../test-keys.ts';

let browser: Browser;
let api: TestApi;

// A test that cannot run says what is missing, and is passed over.
const where = noBrowser === null ? describe : describe.skip;
if (noBrowser !== null) process.stderr.write(`The pages of operation are not tested in a browser. ${noBrowser}\n`);

/** A request that failed on our side. */
async function fail(): Promise<string> {
  const id = newRequestId();
  const createdAt = Date.now();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 } as const;
  const times = { createdAt, deadlineAt: createdAt + 60_000 };
  await api.records.accept({ id, owner: 'ann', question: '', locale: 'ko', source, priority: 'interactive', ...times });
  await api.records.start({ id, stage: 'preprocess', token: 'run' });
  await api.records.fail(id, failure('model_unavailable', 'It broke.', 'preprocess'));
  return id;
}

where('the pages of operation in a browser', () => {
  beforeAll(async () => {
    [browser, api] = await Promise.all([launchBrowser(), startTestApi({ caps: { totalUsd: 5 } })]);
    const today = createKeys(api.prefix).statistics(dayInSeoul(Date.now()));
    const counted = {
      completed: 12,
      cached: 3,
      'duration:vision:3000': 9,
      'tokens:vision:input': 9,
      'nanousd:vision': 1.5e9,
    };
    await api.redis.hset(today, counted);
  });
  afterAll(async () => {
    await browser?.close();
    await api?.close();
  });

  /** Opens the page with a session that was begun before. */
  async function enter(options: BrowserContextOptions): Promise<Watched> {
    const watched = await openWindow(browser, options);
    const { page } = watched;
    const opened = await page.request.post(`${api.url}/v1/admin/session`, { headers: bearer('root') });
    expect(opened.status()).toBe(204);
    await page.goto(`${api.url}/ops`);
    await page.locator('#picture svg').waitFor();
    return watched;
  }

  async function leave({ page, complaints }: Watched): Promise<void> {
    await page.context().close();
    expect(complaints).toEqual([]);
  }

  test('at a desk: the pipeline, today and what failed are shown by a session, failed requests are retried by keyboard', async () => {
    const [first, second] = [await fail(), await fail()];
    const watched = await openWindow(browser, desk);
    const { page } = watched;
    await page.clock.install();
    await page.goto(`${api.url}/ops`);
    // Letters of another keyboard, which no header can hold.
    await page.locator('#key-field').fill('열쇠');
    await page.keyboard.press('Enter');
    await page.locator('#key .problem', { hasText: 'does not work' }).waitFor();
    await page.locator('#key-field').fill(bearerKey('ann'));
    await page.locator('#key button').click();
    await page.locator('#key .problem', { hasText: 'scope admin' }).waitFor();
    expect(await watched.check('ops-key')).toEqual([]);
    await page.locator('#key-field').fill(bearerKey('root'));
    await page.keyboard.press('Enter');
    await page.locator('#picture svg').waitFor();
    expect(await page.locator('#picture .box').count()).toBe(4);
    expect(await page.locator('#stages tbody tr').count()).toBe(4);
    expect(await page.locator('#today').textContent()).toContain('$1.50of $5.00 a day');
    await page.locator('#days tbody tr').nth(6).waitFor();
    expect(await page.evaluate('JSON.stringify([document.cookie, { ...sessionStorage }, { ...localStorage }])')).toBe(
      '["",{},{}]',
    );
    expect(await watched.check('ops-desk')).toEqual([]);

    const rowOf = (id: string) => page.locator(`#dead-letters tr[data-id="${id}"]`);
    await rowOf(second).locator('button').focus();
    await page.keyboard.press('Enter');
    await rowOf(second).waitFor({ state: 'detached' });
    expect((await api.records.get(second))?.status).toBe('queued');
    expect(api.queued.filter((id) => id === second)).toHaveLength(1);
    expect(await page.locator('#live').textContent()).toContain(second);
    // The focus is where the next retry is, and what comes anew does not take it away.
    expect(await page.evaluate('document.activeElement.closest("tr").dataset.id')).toBe(first);
    const third = await fail();
    await page.clock.fastForward('00:05');
    await rowOf(third).waitFor();
    expect(await page.evaluate('document.activeElement.closest("tr").dataset.id')).toBe(first);

    // Somebody else was quicker.
    await api.fetch(`/v1/admin/dead-letters/${first}`, { method: 'DELETE', key: 'root' });
    await page.keyboard.press('Enter');
    await rowOf(first).waitFor({ state: 'detached' });
    await leave(watched);
  });

  test('on a phone: it is told when the service does not answer, and who leaves has to give a key again', async () => {
    const watched = await enter(phone);
    const { page } = watched;
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await watched.check('ops-phone')).toEqual([]);
    // Some requests go by a model of one's own.
    const local = new Queue('vision.local', { connection: api.redis, prefix: api.prefix });
    await local.add('vision.local', {});
    await local.close();
    await page.locator('#picture .box').nth(4).waitFor();
    expect(await page.locator('#picture .sibling').count()).toBe(1);
    expect(await page.locator('#picture .arrow:not(.sibling)').count()).toBe(3);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await watched.check('ops-phone-sibling')).toEqual([]);
    await page.context().setOffline(true);
    await page.locator('#connection', { hasText: '답이 없습니다' }).waitFor();
    await page.context().setOffline(false);
    await page.locator('#connection').waitFor({ state: 'hidden' });
    await page.locator('#leave').click();
    await page.locator('#key-field').waitFor();
    await page.locator('#content').waitFor({ state: 'hidden' });
    await page.goto(`${api.url}/admin/queues`);
    expect(new URL(page.url()).pathname).toBe('/ops');
    await leave(watched);
  });

  test('the board opens by the same session and breaks no policy; the reference is accessible', async () => {
    const watched = await enter(desk);
    const { page } = watched;
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).origin));
    await page.goto(`${api.url}/admin/queues`);
    await page.locator('a[href*="queue/vision"]').first().waitFor();
    await page.goto(`${api.url}/docs`);
    // Each operation and schema is written by the same few functions: to look at all of them takes half a minute.
    await page.evaluate(`document.querySelectorAll('article').forEach((one, i) => i % 30 === 0 || one.remove())`);
    expect(await watched.check('docs')).toEqual([]);
    expect(new Set(asked)).toEqual(new Set([api.url]));
    await leave(watched);
  });
});
