import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { resourceSchema, stageOrder, type Resource } from '@bunri/queue-contracts';
import {
  animatedWebP,
  drawSamplePhoto,
  onePixelPng,
  pixelBombPng,
  svgFile,
  textNamedJpg,
  truncatedJpeg,
} from '@bunri/testkit';
import { ApiError, followRequest, getResource, isConnectionError, submitPhoto, type Progress } from './api-client.ts';
import { appNames, startSystem, type AppName, type BunriSystem } from './system.ts';

jest.setTimeout(120_000);

let system: BunriSystem;
let lines: Record<AppName, string[]>;

beforeAll(async () => {
  lines = Object.fromEntries(appNames.map((name) => [name, []])) as unknown as typeof lines;
  system = await startSystem({
    // A Redis and a bucket of its own: what one test kills, no other test shares.
    env: {
      PATH: process.env['PATH'],
      REDIS_SERVER_BIN: process.env['REDIS_SERVER_BIN'],
      RATE_LIMIT_PER_MINUTE: '1000000',
    },
    latency: { vision: [300, 600], answer: [200, 400] },
    onLine: (app, line) => lines[app].push(line),
  });
});
afterAll(async () => {
  await system.stop();
});

let photos = 0;
/** A photo and a question that nobody has sent before. */
async function nextPhoto() {
  photos += 1;
  const question = `photo ${photos}?`;
  return { photo: { bytes: await drawSamplePhoto({ seed: 1000 + photos }), name: 'photo.jpg' }, question };
}

async function submit(onProgress: (progress: Progress) => void = () => undefined): Promise<Resource> {
  const { photo, question } = await nextPhoto();
  const { id } = await submitPhoto(system.apiUrl, photo, { question, locale: 'en' });
  await followRequest(system.apiUrl, id, onProgress);
  return await getResource(system.apiUrl, id);
}

test('a photo goes through six processes and comes back as cited guidance', async () => {
  const types: string[] = [];
  const resource = await submit(({ type }) => types.push(type));
  expect(resourceSchema.parse(resource)).toMatchObject({ status: 'completed', error: null, cached: false });
  expect(resource.stages.map(({ status }) => status)).toEqual(stageOrder.map(() => 'completed'));
  expect(resource.classification?.engine.provider).toBe('simulator');
  const cited = resource.guidance?.steps.flatMap(({ rule_ids: ids }) => ids) ?? [];
  expect(cited.length).toBeGreaterThan(0);
  expect(new Set(resource.guidance?.sources.map(({ rule_id: id }) => id))).toEqual(new Set(cited));
  expect(types.filter((type) => type !== 'answer.delta')).toEqual([
    'accepted',
    ...stageOrder.flatMap(() => ['stage.started', 'stage.completed']),
    'completed',
  ]);
});

test('the same photo and question are answered at once and call no model', async () => {
  const photo = { bytes: await drawSamplePhoto({ seed: 5 }), name: 'photo.jpg' };
  const fields = { question: 'Where does this go?', locale: 'en' as const };
  const first = await submitPhoto(system.apiUrl, photo, fields);
  await followRequest(system.apiUrl, first.id, () => undefined);
  const calls = system.simulator?.calls().length;
  const second = await submitPhoto(system.apiUrl, photo, fields);
  expect(second).toMatchObject({ finished: true, resource: { status: 'completed', cached: true } });
  expect(second.resource.stages.map(({ cached }) => cached)).toEqual([true, true, true, true]);
  expect(second.resource.usage.vision?.cost_usd).toBe(0);
  expect(system.simulator?.calls().length).toBe(calls);
});

test('fifty people who send the same photo at once are answered by one call of each model', async () => {
  const { photo, question } = await nextPhoto();
  const before = system.simulator?.calls().length ?? 0;
  const resources = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const { id } = await submitPhoto(system.apiUrl, photo, { question, locale: 'en' });
      await followRequest(system.apiUrl, id, () => undefined);
      return await getResource(system.apiUrl, id);
    }),
  );
  expect(resources.map(({ status }) => status)).toEqual(resources.map(() => 'completed'));
  expect((system.simulator?.calls().length ?? 0) - before).toBe(2);
  // Whose request was the one that called may differ from stage to stage.
  for (const name of ['vision', 'llm']) {
    const uncached = resources.flatMap(({ stages }) => stages.filter((stage) => stage.name === name && !stage.cached));
    expect(uncached).toHaveLength(1);
  }
});

test('what a person says that the thing is goes on from rag, once, and their feedback becomes a case', async () => {
  const { id } = await submit();
  const seen = () => (system.simulator?.calls() ?? []).filter(({ kind }) => kind === 'vision').length;
  const before = seen();
  const post = async (path: string, body: object) =>
    await fetch(`${system.apiUrl}/v1/classifications/${id}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const answers = await Promise.all([1, 2].map(async () => await post('clarify', { item_id: 'milk-carton' })));
  const [first, second] = (await Promise.all(answers.map(async (answer) => await answer.json()))) as { id: string }[];
  expect(first?.id).toBe(second?.id);
  await followRequest(system.apiUrl, first?.id ?? '', () => undefined);
  const corrected = await getResource(system.apiUrl, first?.id ?? '');
  expect(corrected).toMatchObject({ status: 'completed', clarifies: id });
  expect(corrected.guidance?.outcome?.subcategory).toBe('종이팩');
  expect(seen()).toBe(before);

  expect((await post('feedback', { item_id: 'milk-carton' })).status).toBe(200);
  const cases = await (await fetch(`${system.apiUrl}/v1/admin/feedback`)).text();
  expect(JSON.parse(cases.trim())).toMatchObject({ id: `feedback-${id}`, expect: { item_id: 'milk-carton' } });
});

test('every app serves health, readiness and its metrics', async () => {
  for (const [app, origin] of system.probes) {
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      const response = await fetch(`${origin}${path}`);
      expect([app, path, response.status]).toEqual([app, path, 200]);
    }
    expect(await (await fetch(`${origin}/metrics`)).text()).toContain(`app="${app}"`);
  }
});

test.each([
  ['a truncated JPEG', truncatedJpeg, 'image_undecodable'],
  ['a PNG of one pixel', onePixelPng, 'image_too_small'],
  ['a decompression bomb', pixelBombPng, 'image_pixels_exceeded'],
  ['an SVG', svgFile, 'image_type_unsupported'],
  ['a text named .jpg', textNamedJpg, 'image_type_unsupported'],
  ['an animation', animatedWebP, 'image_animated'],
  ['an empty file', () => Buffer.alloc(0), 'image_empty'],
  ['eleven megabytes', () => Buffer.alloc(11 * 1024 * 1024, '\u00ff\u00d8\u00ff', 'latin1'), 'image_too_large'],
] as const)('%s ends within seconds with a code of its own and harms no process', async (_name, make, code) => {
  const bytes = await make();
  const startedAt = Date.now();
  expect(await outcomeOf(bytes)).toBe(code);
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  for (const app of ['api', 'preprocess-worker'] as const) {
    const pid = system.apps.get(app)?.pid ?? 0;
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const peakMiB = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    expect(peakMiB).toBeLessThan(512);
  }
});

/** The code of the problem or of the failed record. */
async function outcomeOf(bytes: Uint8Array): Promise<string | undefined> {
  try {
    const { id } = await submitPhoto(
      system.apiUrl,
      { bytes, name: 'x.jpg' },
      { question: 'What is it?', locale: 'en' },
    );
    await followRequest(system.apiUrl, id, () => undefined);
    return (await getResource(system.apiUrl, id)).error?.code;
  } catch (error) {
    if (error instanceof ApiError) return error.code;
    throw error;
  }
}

test('requests survive a kill -9 of each worker in turn, and no model is called more than the kills explain', async () => {
  const count = 12;
  const callsBefore = system.simulator?.calls().length ?? 0;
  const toKill = new Set<string>(stageOrder);
  const restarts: Promise<unknown>[] = [];
  const killOnce = ({ type, data }: Progress) => {
    const stage = String(data['stage']);
    if (type !== 'stage.started' || !toKill.delete(stage)) return;
    const app = `${stage}-worker` as AppName;
    process.kill(system.apps.get(app)?.pid ?? 0, 'SIGKILL');
    restarts.push(system.restart(app));
  };
  const resources = await Promise.all(Array.from({ length: count }, async () => await submit(killOnce)));
  await Promise.all(restarts);
  expect(toKill.size).toBe(0);
  expect(resources.map(({ status, error }) => error ?? status)).toEqual(resources.map(() => 'completed'));
  // Two calls a request, and at most one more for each that was in flight in a killed process.
  const calls = (system.simulator?.calls().length ?? 0) - callsBefore;
  expect(calls).toBeLessThanOrEqual(count * 2 + count * 2);
});

test('every app stops cleanly under load, nothing is lost and no attempt is spent', async () => {
  const ended: Resource[] = [];
  const stopLoad = new AbortController();
  const load = Array.from({ length: 8 }, async () => {
    while (!stopLoad.signal.aborted) ended.push(await submitPatiently());
  });
  try {
    for (const app of appNames.toReversed()) {
      // As a rolling update does it, the next worker is there before the old one stops; the api and the scheduler stand alone.
      if (app !== 'api' && app !== 'scheduler') await system.addReplica(app);
      const before = ended.length;
      const exit = await system.apps.get(app)?.stop('SIGTERM', 40_000);
      expect([app, exit]).toEqual([app, { code: 0, signal: null }]);
      if (app === 'api' || app === 'scheduler') await system.restart(app);
      // The next stop only once work has gone through the new process.
      while (ended.length < before + 8) await Promise.race([Promise.all(load), delay(20)]);
    }
  } finally {
    stopLoad.abort();
  }
  await Promise.all(load);
  expect(ended.map(({ status, error }) => error ?? status)).toEqual(ended.map(() => 'completed'));
  expect(ended.flatMap(({ stages }) => stages.map(({ attempts }) => attempts)).every((n) => n <= 1)).toBe(true);
});

/** A client whose api is being replaced tries again with its idempotency key, so that one request is one record. */
async function submitPatiently(): Promise<Resource> {
  const { photo, question } = await nextPhoto();
  const fields = { question, locale: 'en' as const, idempotencyKey: question };
  for (;;) {
    try {
      const { id } = await submitPhoto(system.apiUrl, photo, fields);
      await followRequest(system.apiUrl, id, () => undefined);
      return await getResource(system.apiUrl, id);
    } catch (error) {
      const away = isConnectionError(error) || (error instanceof ApiError && error.status === 503);
      if (!away) throw error;
      await delay(100);
    }
  }
}

test('no app logs the question', () => {
  const written = Object.values(lines).flat().join('\n');
  expect(written.length).toBeGreaterThan(1000);
  expect(written).not.toContain('Where does this go?');
});
