import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createLogger, createMetrics } from '@bunri/runtime';
import { drawSamplePhoto, patienceMs } from '@bunri/testkit';
import { openLocalVision, type LocalVision } from './engine.ts';
import { classes, madeUpHead, writeHead } from './head-fixture.ts';
import { shippedHeadPath } from './head-file.ts';
import { readHead } from './head.ts';

const metrics = createMetrics({ app: 'test', processMetrics: false });
const log = createLogger({ app: 'test', level: 'error', silent: true });
const { signal } = new AbortController();
/** For a machine that is slow and busy. */
const patient = { timeoutMs: patienceMs, loadTimeoutMs: patienceMs };
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0)) await close();
});

function open(changes: Parameters<typeof madeUpHead>[0] = {}): LocalVision {
  const { path, remove } = writeHead(madeUpHead(changes));
  const opened = openLocalVision({ metrics, log, headPath: path, ...patient });
  closers.push(
    async () => await opened.engine.unload(),
    () => remove(),
  );
  return opened;
}

test('photos become probabilities of all materials, in a process of at most 330 MiB; what is no photo is refused alone', async () => {
  const { engine, expectedBytes } = open();
  const photos = await Promise.all([1, 2].map(async (seed) => await drawSamplePhoto({ seed })));
  const ends = await Promise.allSettled(
    [...photos, Buffer.from('no photo')].map(async (photo) => await engine.predict([photo], { signal })),
  );
  expect(ends).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }, { status: 'rejected' }]);
  const said = ends.flatMap((end) => (end.status === 'fulfilled' ? end.value : []));
  expect(said).toHaveLength(2);
  for (const { value, engine: by, tokens } of said) {
    expect(value.materials.map(({ material }) => material).toSorted()).toEqual(classes);
    expect(value.materials.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 4);
    expect(value.familiarity).toBeGreaterThanOrEqual(0);
    expect([by, tokens.input]).toEqual([{ provider: 'local', model: 'materials@made-up' }, 0]);
  }
  expect(ends[2]).toMatchObject({ reason: { name: 'PermanentError', code: 'image_undecodable' } });
  const mib = engine.memoryBytes() / 1024 ** 2;
  expect(mib).toBeGreaterThan(50);
  expect(mib).toBeLessThan(330);
  expect(expectedBytes / 1024 ** 2).toBeLessThan(330);
});

test('a head that was trained on other weights does not load', async () => {
  const [first, second] = madeUpHead().backbones;
  if (!first || !second) throw new Error('two networks');
  const { engine } = open({ backbones: [first, { ...second, checksum: 'f'.repeat(64) }] });
  await expect(engine.load()).rejects.toMatchObject({
    code: 'model_unavailable',
    cause: { message: expect.stringContaining('nsfwjs@4.4.0') },
  });
});

test('another head or network is another identity', () => {
  const [first] = madeUpHead().backbones;
  // The temperature: trained again on the same day, under the same version.
  const changes = [{}, {}, { version: 'later' }, { backbones: first ? [first] : [] }, { temperature: 2 }];
  const [one, same, ...others] = changes.map((each) => open(each).identity);
  expect(same).toBe(one);
  expect(new Set([one, ...others]).size).toBe(4);
});

test('what is not installed is told at the start, by name', () => {
  expect(() => openLocalVision({ metrics, log, headPath: '/nowhere/materials.json' })).toThrow(
    /not installed completely: .*\/nowhere\/materials\.json/,
  );
  expect(() => open({ backbones: [{ id: 'resnet', package: 'resnet@1', checksum: 'x' }] })).toThrow(/resnet/);
});

test('of a package whose weights are missing, the file itself is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bunri-packages-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const objectron = join(folder, 'node_modules/@mediapipe/objectron');
  mkdirSync(objectron, { recursive: true });
  for (const name of ['package.json', 'objectron_solution_packed_assets_loader.js']) {
    writeFileSync(join(objectron, name), '{}');
  }
  const { path, remove } = writeHead(madeUpHead());
  closers.push(() => remove());
  const fails = () =>
    openLocalVision({ metrics, log, headPath: path, packagesFrom: pathToFileURL(join(folder, 'predictor.js')) });
  expect(fails).toThrow(join(objectron, 'objectron_solution_packed_assets.data'));
  expect(fails).not.toThrow(/_loader\.js/);
  expect(fails).toThrow('nsfwjs/models/mobilenet_v2_mid');
});

/** A folder of folders with photos, each named by its material. Photos are never part of the repository. */
const photos = process.env['BUNRI_PHOTOS'] ?? '';
const real = photos === '' ? describe.skip : describe;

test('the head that ships knows the eight materials, and says something of a drawn photo', async () => {
  expect([...readHead(shippedHeadPath()).file.classes].toSorted()).toEqual(classes);
  const { engine } = openLocalVision({ metrics, log, ...patient });
  closers.push(async () => await engine.unload());
  const [said] = await engine.predict([await drawSamplePhoto()], { signal });
  expect(said?.value.materials).toHaveLength(8);
});

real('real photos (skipped without a folder of them in BUNRI_PHOTOS)', () => {
  test('of a sample of each material most are told rightly', async () => {
    const { engine } = openLocalVision({ metrics, log, ...patient });
    closers.push(async () => await engine.unload());
    const sample = samplePhotos(photos);
    let right = 0;
    for (const { material, path } of sample) {
      const [said] = await engine.predict([readFileSync(path)], { signal });
      if (said?.value.materials[0]?.material === material) right += 1;
    }
    expect(right / sample.length).toBeGreaterThan(0.7);
  });
});

/** Ten of each material, from all over its folder. */
function samplePhotos(root: string): { readonly material: string; readonly path: string }[] {
  return classes
    .filter((material) => existsSync(join(root, material)))
    .flatMap((material) => {
      const names = readdirSync(join(root, material)).toSorted();
      const every = Math.max(1, Math.floor(names.length / 10));
      return names
        .filter((_, index) => index % every === 0)
        .map((name) => ({ material, path: join(root, material, name) }));
    });
}
