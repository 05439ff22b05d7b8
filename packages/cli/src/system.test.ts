import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient, ProblemError, type ClassificationEvent, type Client } from '@bunri/client';
import { resourceSchema, stageOrder, type Resource } from '@bunri/queue-contracts';
import {
  animatedWebP,
  drawSamplePhoto,
  onePixelPng,
  pixelBombPng,
  startOtlpCollector,
  svgFile,
  textNamedJpg,
  truncatedJpeg,
  type OtlpCollector,
} from '@bunri/testkit';
import { curlsOfReadme } from './readme-curls.ts';
import { appNames, startSystem, type AppName, type BunriSystem } from './system.ts';
import { traceTests } from './trace-tests.ts';

let system: BunriSystem;
let client: Client;
let collector: OtlpCollector;
let lines: Record<AppName, string[]>;

beforeAll(async () => {
  lines = Object.fromEntries(appNames.map((name) => [name, []])) as unknown as typeof lines;
  collector = await startOtlpCollector();
  system = await startSystem({
    // A Redis and a bucket of its own: what one test kills, no other test shares.
    env: {
      PATH: process.env['PATH'],
      REDIS_SERVER_BIN: process.env['REDIS_SERVER_BIN'],
      RATE_LIMIT_PER_MINUTE: '1000000',
      TRACING: 'otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    },
    local: true,
    latency: { vision: [300, 600], answer: [200, 400] },
    onLine: (app, line) => lines[app].push(line),
  });
  client = createClient({ baseUrl: system.apiUrl });
});
afterAll(async () => {
  await system.stop();
  await collector.stop();
});

traceTests(() => ({ apiUrl: system.apiUrl, collector, lines: () => Object.values(lines).flat() }));

let photos = 0;
/** A photo and a question that nobody has sent before. */
async function nextPhoto() {
  photos += 1;
  return { photo: await drawSamplePhoto({ seed: 1000 + photos }), question: `photo ${photos}?` };
}

async function ask(
  photo: Uint8Array,
  question: string,
  onEvent?: (event: ClassificationEvent) => void,
): Promise<Resource> {
  const { resource } = await client.submit(photo, { question, locale: 'en' });
  return await client.wait(resource.id, onEvent ? { onEvent } : {});
}

async function submit(onEvent?: (event: ClassificationEvent) => void): Promise<Resource> {
  const { photo, question } = await nextPhoto();
  return await ask(photo, question, onEvent);
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
  const photo = await drawSamplePhoto({ seed: 5 });
  await ask(photo, 'Where does this go?');
  const calls = system.simulator?.calls().length;
  const second = await client.submit(photo, { question: 'Where does this go?', locale: 'en' });
  expect(second).toMatchObject({ finished: true, resource: { status: 'completed', cached: true } });
  expect(second.resource.stages.map(({ cached }) => cached)).toEqual([true, true, true, true]);
  expect(second.resource.usage.vision?.cost_usd).toBe(0);
  expect(system.simulator?.calls().length).toBe(calls);
});

test('fifty people who send the same photo at once are answered by one call of each model', async () => {
  const { photo, question } = await nextPhoto();
  const before = system.simulator?.calls().length ?? 0;
  const resources = await Promise.all(Array.from({ length: 50 }, async () => await ask(photo, question)));
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
  const corrected = await client.wait(first?.id ?? '');
  expect(corrected).toMatchObject({ status: 'completed', clarifies: id });
  expect(corrected.guidance?.outcome?.subcategory).toBe('종이팩');
  expect(seen()).toBe(before);

  expect((await post('feedback', { item_id: 'milk-carton' })).status).toBe(200);
  const cases = await (await fetch(`${system.apiUrl}/v1/admin/feedback`)).text();
  expect(JSON.parse(cases.trim())).toMatchObject({ id: `feedback-${id}`, expect: { item_id: 'milk-carton' } });
});

/** Of a photo that the model of the API and the local one look at. */
async function submitToBoth(question: string): Promise<Resource> {
  const { photo } = await nextPhoto();
  const { resource } = await client.submit(photo, {
    question,
    locale: 'en',
    models: ['gpt-5', 'local'],
  });
  return resourceSchema.parse(await client.wait(resource.id));
}

test('two engines look at one photo, and where the API refuses it the local one answers alone and says why', async () => {
  const both = await submitToBoth('How do I throw this milk carton away?');
  expect(both).toMatchObject({ status: 'completed', degraded: false, models: ['gpt-5', 'local'] });
  const { item_id, agreement, opinions = [], confidence = 0 } = both.classification ?? {};
  expect([item_id, agreement]).toEqual(['milk-carton', 'item']);
  expect(opinions.map(({ engine }) => engine.provider)).toEqual(['simulator', 'local']);
  expect(confidence).toBeGreaterThanOrEqual(opinions[0]?.confidence ?? 1);

  system.simulator?.setFaults([{ fault: 'bad_request', kind: 'vision' }]);
  const alone = await submitToBoth('How do I throw this glass bottle away?');
  system.simulator?.setFaults([]);
  expect(alone).toMatchObject({ status: 'completed', degraded: true, error: null });
  expect(alone.classification).toMatchObject({ item_id: 'glass-bottle', engine: { provider: 'local' } });
  const refused = alone.stages.find(({ name }) => name === 'vision');
  expect(refused).toMatchObject({ status: 'failed', degraded: 'model_request_rejected' });
  expect(await system.localWorker?.stop('SIGTERM', 40_000)).toEqual({ code: 0, signal: null });
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
    return (await ask(bytes, 'What is it?')).error?.code;
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
}

test('requests survive a kill -9 of each worker in turn, and no model is called more than the kills explain', async () => {
  const count = 12;
  const callsBefore = system.simulator?.calls().length ?? 0;
  const toKill = new Set<string>(stageOrder);
  const restarts: Promise<unknown>[] = [];
  const killOnce = ({ type, stage = '' }: ClassificationEvent) => {
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
    while (!stopLoad.signal.aborted) ended.push(await submit());
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
  const written = Object.values(lines).flat();
  const again = ended.flatMap(({ id, stages }) =>
    stages.flatMap(({ name, attempts }) =>
      attempts > 1 ? [`${name}: ${attempts}`, ...written.filter((line) => line.includes(id))] : [],
    ),
  );
  expect(again).toEqual([]);
});

test('no app logs the question', () => {
  const written = Object.values(lines).flat().join('\n');
  expect(written.length).toBeGreaterThan(1000);
  expect(written).not.toContain('Where does this go?');
});

test('every curl line of the README works as it is printed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bunri-readme-'));
  await writeFile(join(folder, 'my-photo.jpg'), (await nextPhoto()).photo);
  // Told to curl without a word on its command line: fail where the answer is no success, and say what it was.
  await writeFile(join(folder, '.curlrc'), 'fail-with-body\nsilent\nshow-error\nmax-time = 60\n');
  const env = { PATH: process.env['PATH'], CURL_HOME: folder, API: system.apiUrl };
  const curls = await curlsOfReadme();
  expect(curls.length).toBeGreaterThan(4);
  for (const curl of curls) {
    const { photo, question } = await nextPhoto();
    const { id } = (await client.submit(photo, { question, locale: 'en' })).resource;
    // What is canceled has to be open still.
    if (!curl.includes('/cancel')) await client.wait(id);
    const command = curl.replaceAll('<id>', id);
    const ran = await promisify(execFile)('sh', ['-c', command], { env, cwd: folder }).catch((error: unknown) => error);
    expect({ command, ran }).toEqual({ command, ran: { stdout: expect.any(String), stderr: '' } });
  }
  await rm(folder, { recursive: true });
});
