import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { processEngine } from '@bunri/engines';
import type { Request, StageOutput } from '@bunri/queue-contracts';
import {
  closeRedis,
  connectConsumer,
  connectSubscriber,
  createFlowQueue,
  createLogger,
  createMetrics,
  createProcessLife,
  createRecordStore,
  newRequestId,
  serveProbes,
  serveStage,
  stageOutput,
} from '@bunri/runtime';
import { watchMachine } from '@bunri/testkit/machine-watch';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const preprocess = { sha256: 'a'.repeat(64), key: 'images/a.jpg', width: 10, height: 10, sizeBytes: 3 };
const output: StageOutput<'vision'> = {
  classification: {
    waste_category: 'recyclable',
    subcategory: '유리병',
    item_id: null,
    item_name: '유리로 된 것',
    confidence: 0.9,
    condition: { cap: 'unknown', rinsed: 'unknown', contamination: 'unknown', label: 'unknown' },
    engine: { provider: 'local', model: 'materials@1' },
  },
  usage: { input_tokens: 0, output_tokens: 0, cost_usd: 0 },
};

/** Eight seconds in the suite; `BUNRI_INFERENCE_SECONDS=30` for those of a large model. */
const inferenceMs = Number(process.env['BUNRI_INFERENCE_SECONDS'] ?? 8) * 1_000;
/** A machine that stands still for a second or two loses no lock of this length. */
const lockMs = inferenceMs / 2;

test(`while a model computes for ${inferenceMs / 1_000} s (BUNRI_INFERENCE_SECONDS) its job keeps its lock of half as long, and the probes answer at once`, async () => {
  const prefix = `{t${randomUUID()}}`;
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const redis = connectConsumer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
  const subscriber = connectSubscriber({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
  closers.push(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
    await Promise.all([closeRedis(redis), closeRedis(subscriber)]);
  });
  const module = new URL('spinning-predictor.ts', import.meta.url);
  const engine = processEngine<number, true>({
    model: 'spinning',
    module,
    maxOldSpaceMb: 32,
    timeoutMs: inferenceMs + 120_000,
    metrics,
    log,
  });
  closers.push(async () => await engine.unload());
  await engine.load();

  const records = createRecordStore({ redis, prefix });
  const flows = createFlowQueue({ redis, prefix });
  closers.push(async () => await flows.close());
  const life = createProcessLife({ log, graceMs: 5_000 });
  let runs = 0;
  const server = await serveStage({
    stage: 'vision',
    handler: async (_input, { signal }) => {
      runs += 1;
      await engine.predict([inferenceMs], { signal });
      return { output, cached: false };
    },
    redis,
    records,
    subscriber,
    prefix,
    life,
    graceMs: 5_000,
    log,
    metrics,
    lock: { durationMs: lockMs, stalledCheckMs: lockMs / 4 },
  });
  closers.push(async () => await life.stop('test'));
  const probes = await serveProbes({ port: 0, registry: metrics.registry, checks: { worker: () => server.running() } });
  closers.push(async () => await probes.close());

  const request: Request = {
    id: newRequestId(),
    owner: 'ann',
    question: '?',
    locale: 'ko',
    source: { kind: 'upload', key: 'uploads/x', sha256: 'b'.repeat(64), sizeBytes: 10 },
    priority: 'interactive',
    createdAt: Date.now(),
    deadlineAt: Date.now() + inferenceMs + 180_000,
  };
  const { turn } = await records.accept(request, { outputs: { preprocess } });
  await flows.add({ ...request, turn, from: 'vision' });

  const machine = await watchMachine();
  const waits: number[] = [];
  const seen = async () => {
    const record = await records.get(request.id);
    return record && stageOutput(record, 'vision');
  };
  while (!(await seen())) {
    const askedAt = Date.now();
    const answers = await Promise.all(
      ['healthz', 'readyz'].map(async (path) => (await fetch(`http://127.0.0.1:${probes.port}/${path}`)).status),
    );
    expect(answers).toEqual([200, 200]);
    waits.push(await machine.ranMs(askedAt, Date.now()));
  }
  expect(await seen()).toEqual(output);
  expect(runs).toBe(1);
  expect(waits.length).toBeGreaterThan(10);
  expect(Math.max(...waits)).toBeLessThan(1_000);
  await machine.stop();
});
