import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { finalStage, stageOrder, stages } from '@bunri/queue-contracts';
import { watchMachine } from '@bunri/testkit/machine-watch';
import { patienceMs } from '@bunri/testkit/until';
import { DeferredError, PermanentError, RateLimitedError, TransientError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { backoffMs } from './stage.ts';

afterEach(closePipelines);

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

test('who was taken and put back goes before its equals that have not been', async () => {
  const calls: string[] = [];
  const { submit, ended } = await startPipeline(
    {
      vision: async ({ jobId }) => {
        calls.push(jobId);
        if (calls.length === 1) throw new RateLimitedError(300, 'slow down');
        // The pause of the queue may end before that of the job; whoever slips in lasts until the job's is over too.
        if (calls.length === 2) await delay(400);
        return outputs.vision;
      },
    },
    { concurrency: 1 },
  );
  // Each is its owner's first, so that all have the same turn.
  const ids = await Promise.all(Array.from({ length: 8 }, async (_, n) => await submit({ owner: `owner-${n}` })));
  await Promise.all(ids.map(ended));
  expect(calls.lastIndexOf(calls[0] ?? '')).toBeLessThanOrEqual(2);
  expect(calls).toHaveLength(ids.length + 1);
});

test('a job is put back without an attempt also where Redis has no room for its place', async () => {
  let calls = 0;
  const { submit, ended, redis } = await startPipeline({
    rag: async () => {
      calls += 1;
      if (calls <= stages.rag.attempts) throw new DeferredError(30, 'not now');
      return await Promise.resolve(outputs.rag);
    },
  });
  Object.assign(redis, { eval: async () => await Promise.reject(new Error('OOM command not allowed')) });
  const { record } = await ended(await submit());
  expect(record.status).toBe('completed');
  expect(calls).toBe(stages.rag.attempts + 1);
});

test('of two that are told to wait the longer wait holds for all', async () => {
  const waits = [700, 20];
  const calls: number[] = [];
  const { submit, ended } = await startPipeline({
    vision: async () => {
      calls.push(performance.now());
      const wait = waits.shift();
      if (wait !== undefined) throw new RateLimitedError(wait, 'slow down');
      return await Promise.resolve(outputs.vision);
    },
  });
  const ids = [await submit(), await submit()];
  await Promise.all(ids.map(ended));
  expect(calls).toHaveLength(4);
  expect((calls[2] ?? 0) - (calls[0] ?? 0)).toBeGreaterThan(650);
});

test('a run whose lock is lost goes on, and what it has paid for is not paid again', async () => {
  let calls = 0;
  const { submit, ended, loseLock } = await startPipeline(
    {
      vision: async ({ signal, jobId }) => {
        calls += 1;
        await loseLock(jobId.replace('-vision', ''), 'vision');
        // Longer than half the lock, when its renewal fails.
        await delay(400, undefined, { signal });
        return outputs.vision;
      },
    },
    { lock: { durationMs: 500, stalledCheckMs: 1_000 } },
  );
  const { record } = await ended(await submit());
  expect(record.status).toBe('completed');
  expect(calls).toBe(1);
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
  const machine = await watchMachine();
  const { submit, ended } = await startPipeline({ vision: async ({ signal }) => await untilAborted(signal) });
  const { record } = await ended(await submit({ deadlineAt: Date.now() + 400 }));
  expect(record.error?.code).toBe('deadline_exceeded');
  expect(await machine.ranMs(record.request.deadlineAt, record.completedAt ?? NaN)).toBeLessThan(500);
  await machine.stop();
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
    { graceMs: 50 },
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

test('the answer is told piece by piece while somebody listens', async () => {
  const heard = Promise.withResolvers<void>();
  const pipeline = await startPipeline({
    llm: async ({ onAnswer }) => {
      onAnswer(() => 'Rin');
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
    AbortSignal.timeout(patienceMs),
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
