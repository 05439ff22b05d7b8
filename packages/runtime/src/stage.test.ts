import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import {
  finalStage,
  stageJobId,
  stageOrder,
  stages,
  type Request,
  type StageName,
  type StageOutput,
} from '@bunri/queue-contracts';
import { createFlowQueue, newRequestId } from './enqueue.ts';
import { createResultCache } from './cache.ts';
import { PermanentError, RateLimitedError, SharedWorkError, TransientError } from './errors.ts';
import { createEventFeed } from './feed.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createProcessLife, type ProcessLife } from './process.ts';
import { createRecordStore } from './records.ts';
import { createSingleFlight } from './single-flight.ts';
import { backoffMs, serveStage } from './stage.ts';
import type { Handler, HandlerContext } from './stage-run.ts';

const usage = { input_tokens: 1, output_tokens: 1, cost_usd: 0.5 };
const engine = { provider: 'fake', model: 'fake-1' };
const outputs: { [S in StageName]: StageOutput<S> } = {
  preprocess: { sha256: 'a'.repeat(64), key: 'images/a.jpg', width: 10, height: 10, sizeBytes: 100 },
  vision: {
    classification: {
      waste_category: 'recyclable',
      subcategory: '무색페트병',
      item_id: 'clear-pet-bottle',
      item_name: '페트병',
      confidence: 0.9,
      condition: { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' },
      engine,
    },
    usage,
  },
  rag: {
    item_id: null,
    item_name: '페트병',
    match: 'category',
    candidates: [],
    sentences: [],
    catalogue_version: 'v1',
    tokens: 0,
  },
  llm: {
    guidance: {
      answer: 'Rinse it.',
      steps: [{ text: 'Rinse.', rule_ids: ['r1'] }],
      missing: [],
      warnings: [],
      sources: [],
    },
    engine,
    usage,
    droppedSteps: 0,
  },
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

type Handlers = { [S in StageName]?: (context: HandlerContext) => Promise<StageOutput<S>> };

/** All four stages on a real Redis; a stage without a handler of the test's own answers at once. */
async function startPipeline(handlers: Handlers = {}, graceMs = 5_000) {
  const prefix = `{t${randomUUID()}}`;
  const log = createLogger({ app: 'test', level: 'error', silent: true });
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const redis = new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
  const connections = [redis];
  const connect = () => {
    const duplicate = redis.duplicate();
    connections.push(duplicate);
    return duplicate;
  };
  closers.push(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.unlink(...keys);
    for (const connection of connections) connection.disconnect();
  });
  const records = createRecordStore({ redis, prefix });
  const feed = createEventFeed({ records, subscriber: connect() });
  const flows = createFlowQueue({ redis, prefix });
  const cache = createResultCache({ redis, prefix });
  const flights = createSingleFlight({ redis, prefix, stage: 'vision', metrics });
  const visionQueue = new Queue(stages.vision.queue, { connection: redis, prefix });
  const waiting = async () => await visionQueue.getDelayedCount();
  const runs = Object.fromEntries(stageOrder.map((stage) => [stage, 0])) as Record<StageName, number>;

  const serve = async (stage: StageName): Promise<ProcessLife> => {
    const life = createProcessLife({ log, graceMs });
    const handler: Handler<typeof stage> = async (_input, context) => {
      runs[stage] += 1;
      const own = handlers[stage];
      return { output: own ? await own(context) : outputs[stage], cached: false };
    };
    await serveStage({ stage, handler, redis, subscriber: connect(), prefix, life, graceMs, log, metrics });
    closers.push(async () => void (await life.stop('test')));
    return life;
  };
  const lives = Object.fromEntries(
    await Promise.all(stageOrder.map(async (stage) => [stage, await serve(stage)] as const)),
  ) as Record<StageName, ProcessLife>;

  const submit = async (over: Partial<Request> = {}): Promise<string> => {
    const request: Request = {
      id: newRequestId(),
      owner: 'ann',
      question: 'How?',
      locale: 'en',
      source: { kind: 'upload', key: 'uploads/x', sha256: 'b'.repeat(64), sizeBytes: 10 },
      priority: 'interactive',
      createdAt: Date.now(),
      deadlineAt: Date.now() + 60_000,
      ...over,
    };
    await records.accept(request);
    await flows.add(request);
    return request.id;
  };
  const ended = async (id: string) => {
    const types: string[] = [];
    await feed.follow(id, 0, ({ type }) => types.push(type), AbortSignal.timeout(15_000));
    const record = await records.get(id);
    if (!record) throw new Error('no record');
    return { record, types };
  };
  const job = async (id: string, stage: StageName) => {
    const queue = new Queue(stages[stage].queue, { connection: redis, prefix });
    return await queue.getJob(stageJobId(id, stage));
  };
  return { submit, ended, runs, records, lives, serve, job, feed, cache, flights, waiting };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

test('a request goes through all stages and its events tell so', async () => {
  const { submit, ended } = await startPipeline();
  const { record, types } = await ended(await submit());
  expect(record.status).toBe('completed');
  expect(stageOrder.map((stage) => record.stages[stage].status)).toEqual([
    'completed',
    'completed',
    'completed',
    'completed',
  ]);
  expect(types).toEqual(['accepted', ...stageOrder.flatMap(() => ['stage.started', 'stage.completed']), 'completed']);
});

test('a permanent error ends the request at once with its code', async () => {
  const { submit, ended, runs } = await startPipeline({
    preprocess: async () =>
      await Promise.reject(new PermanentError('image_undecodable', 'The image cannot be decoded.')),
  });
  const { record } = await ended(await submit());
  expect(record.error).toEqual({
    code: 'image_undecodable',
    message: 'The image cannot be decoded.',
    stage: 'preprocess',
    retryable: false,
  });
  expect(runs).toMatchObject({ preprocess: 1, vision: 0 });
});

test('a transient error is retried as often as the catalogue says, then ends the request', async () => {
  const { submit, ended, runs } = await startPipeline({
    rag: async () => await Promise.reject(new TransientError('model_unavailable', 'No answer.')),
  });
  const { record, types } = await ended(await submit());
  expect(record.error?.code).toBe('model_unavailable');
  expect(runs.rag).toBe(stages.rag.attempts);
  expect(types.filter((type) => type === 'stage.retrying')).toHaveLength(stages.rag.attempts - 1);
});

test('an output that breaks the contract fails the request and is not stored', async () => {
  const { submit, ended } = await startPipeline({
    rag: async () => await Promise.resolve({ ...outputs.rag, tokens: -1 }),
  });
  const { record } = await ended(await submit());
  expect(record.error).toMatchObject({ code: 'stage_contract_broken', stage: 'rag' });
  expect(record.stages.rag.output).toBeNull();
});

test('an unexpected error never shows its words to the client', async () => {
  const { submit, ended } = await startPipeline({
    rag: async () => await Promise.reject(new Error('secret sk-123')),
  });
  const { record } = await ended(await submit());
  expect(record.error?.code).toBe('internal_error');
  expect(JSON.stringify(record.error)).not.toContain('sk-123');
});

test('a rate limit delays the work and spends no attempt', async () => {
  let calls = 0;
  const { submit, ended, job } = await startPipeline({
    vision: async () => {
      calls += 1;
      if (calls <= 6) throw new RateLimitedError(30, 'slow down');
      return await Promise.resolve(outputs.vision);
    },
  });
  const id = await submit();
  const { record } = await ended(id);
  expect(record.status).toBe('completed');
  expect(calls).toBeGreaterThan(stages.vision.attempts);
  expect(record.stages.vision.attempts).toBe(1);
  expect((await job(id, 'vision'))?.attemptsMade ?? 1).toBeLessThanOrEqual(1);
});

test('a canceled request aborts what is in flight and no later stage runs', async () => {
  const started = Promise.withResolvers<void>();
  let reason: unknown;
  const { submit, ended, records, runs } = await startPipeline({
    vision: async ({ signal }) => {
      started.resolve();
      return await untilAborted(signal).catch((error: unknown) => {
        reason = error;
        throw error;
      });
    },
  });
  const id = await submit();
  await started.promise;
  await records.cancel(id);
  const { record } = await ended(id);
  expect(record.status).toBe('canceled');
  expect(reason).toMatchObject({ reason: 'canceled' });
  expect(runs).toMatchObject({ rag: 0, llm: 0 });
});

test('a stage in flight is aborted at the deadline and the request ends with deadline_exceeded', async () => {
  const { submit, ended } = await startPipeline({ vision: async ({ signal }) => await untilAborted(signal) });
  const { record } = await ended(await submit({ deadlineAt: Date.now() + 400 }));
  expect(record.error?.code).toBe('deadline_exceeded');
  expect((record.completedAt ?? 0) - record.request.deadlineAt).toBeLessThan(500);
});

test('a worker that stops hands its job back and another finishes it without an attempt spent', async () => {
  const started = Promise.withResolvers<void>();
  let calls = 0;
  const pipeline = await startPipeline(
    {
      vision: async ({ signal }) => {
        calls += 1;
        if (calls > 1) return outputs.vision;
        started.resolve();
        return await untilAborted(signal);
      },
    },
    50,
  );
  const id = await pipeline.submit();
  await started.promise;
  expect(await pipeline.lives.vision.stop('test')).toBe(0);
  await pipeline.serve('vision');
  const { record, types } = await pipeline.ended(id);
  expect(record.status).toBe('completed');
  expect(types).toContain('stage.released');
  expect(record.stages.vision.attempts).toBe(1);
  expect((await pipeline.job(id, 'vision'))?.attemptsMade).toBe(1);
});

test('a stopping worker lets what is in flight finish within the grace period', async () => {
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const pipeline = await startPipeline({
    vision: async () => {
      started.resolve();
      await release.promise;
      return outputs.vision;
    },
  });
  const id = await pipeline.submit();
  await started.promise;
  const stopped = pipeline.lives.vision.stop('test');
  release.resolve();
  expect(await stopped).toBe(0);
  const { record } = await pipeline.ended(id);
  expect(record.status).toBe('completed');
  expect(pipeline.runs.vision).toBe(1);
});

test('the same work in flight is done once, and whoever waits for it holds no slot and spends no attempt', async () => {
  const asked = Promise.withResolvers<void>();
  let calls = 0;
  const pipeline = await startPipeline({
    vision: async ({ jobId }) => {
      const recall = async () => await pipeline.cache.get('vision', 'same photo', stages.vision.output);
      const work = async () => {
        calls += 1;
        // Ends once all others have come, found it in flight and gone to wait.
        while ((await pipeline.waiting()) < 29) await new Promise((resolve) => setImmediate(resolve));
        asked.resolve();
        await pipeline.cache.set('vision', 'same photo', outputs.vision);
        return outputs.vision;
      };
      const known = await recall();
      const requestId = jobId.replace('-vision', '');
      return (
        known ?? (await pipeline.flights.run('same photo', requestId, async () => (await recall()) ?? (await work())))
      );
    },
  });
  const ids = await Promise.all(Array.from({ length: 30 }, async () => await pipeline.submit()));
  await asked.promise;
  const startedAt = performance.now();
  const ended = await Promise.all(ids.map(pipeline.ended));
  expect(ended.map(({ record }) => record.status)).toEqual(ids.map(() => 'completed'));
  expect(calls).toBe(1);
  expect(ended.every(({ record }) => record.stages.vision.attempts === 1)).toBe(true);
  // They were woken, not found again after the longest wait of 3 s.
  expect(performance.now() - startedAt).toBeLessThan(2_500);
});

test('work whose worker died is taken again by the same request, and by others only when it has ended', async () => {
  const { flights } = await startPipeline();
  const inFlight = Promise.withResolvers<string>();
  const first = flights.run('key', 'req_a', async () => await inFlight.promise);
  await expect(flights.run('key', 'req_b', async () => await Promise.resolve('b'))).rejects.toThrow(SharedWorkError);
  expect(await flights.run('key', 'req_a', async () => await Promise.resolve('again'))).toBe('again');
  // The later run has ended the lease; what the earlier one does at its end must not touch the next holder's.
  const next = Promise.withResolvers<string>();
  const other = flights.run('key', 'req_b', async () => await next.promise);
  inFlight.resolve('late');
  expect(await first).toBe('late');
  await expect(flights.run('key', 'req_c', async () => await Promise.resolve('c'))).rejects.toThrow(SharedWorkError);
  next.resolve('b');
  expect(await other).toBe('b');
});

test('work that failed is free for the next', async () => {
  const { flights } = await startPipeline();
  await expect(flights.run('key', 'req_a', async () => await Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await flights.run('key', 'req_b', async () => await Promise.resolve('yes'))).toBe('yes');
});

test('the answer is told piece by piece while somebody listens', async () => {
  const heard = Promise.withResolvers<void>();
  const pipeline = await startPipeline({
    llm: async ({ onAnswer }) => {
      onAnswer('Rin');
      await heard.promise;
      return outputs.llm;
    },
  });
  const id = await pipeline.submit();
  const pieces: unknown[] = [];
  await pipeline.feed.follow(
    id,
    0,
    ({ type, data }) => {
      if (type !== 'answer.delta') return;
      pieces.push(data);
      heard.resolve();
    },
    AbortSignal.timeout(10_000),
  );
  expect(pieces).toEqual([{ offset: 0, text: 'Rin' }]);
});

test('the wait before a retry grows, is capped, and only ever shrinks by its jitter', () => {
  const backoff = { delayMs: 100, maxDelayMs: 500, jitter: 0.5 };
  expect([1, 2, 3, 4, 20].map((attempt) => backoffMs(backoff, attempt, 0))).toEqual([100, 200, 400, 500, 500]);
  expect(backoffMs(backoff, 1, 0.999)).toBe(50);
});

test('the final stage is the one that ends a request', () => {
  expect(stageOrder.at(-1)).toBe(finalStage);
});
