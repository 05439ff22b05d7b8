import { afterEach, expect, test } from '@jest/globals';
import { stageJobId, type Failure } from '@bunri/queue-contracts';
import { until } from '@bunri/testkit/until';
import { DeferredError, TransientError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { outageWaitMs } from './stage-settle.ts';

afterEach(closePipelines);

test('while storage is away a request waits, longer than its attempts would last, and is answered when it is back', async () => {
  let away = 4;
  const { submit, ended } = await startPipeline({
    preprocess: async () => {
      away -= 1;
      if (away >= 0) throw new TransientError('storage_unavailable', 'Away.');
      return await Promise.resolve(outputs.preprocess);
    },
  });
  // A tenth of what is left is waited at most.
  const { record, types } = await ended(await submit({ deadlineAt: Date.now() + 40_000 }));
  expect(record.status).toBe('completed');
  expect(types.filter((type) => type === 'stage.released')).toHaveLength(4);
  expect(types).not.toContain('stage.retrying');
});

test('a job that is deferred waits alone and spends no attempt, while others of its queue are answered', async () => {
  const runs: string[] = [];
  const { submit, ended } = await startPipeline(
    {
      vision: async ({ jobId }) => {
        runs.push(jobId);
        // Of two, whichever comes first.
        if (runs.length === 1) throw new DeferredError(5_000, 'this one');
        return await Promise.resolve(outputs.vision);
      },
    },
    { concurrency: 1 },
  );
  const startedAt = performance.now();
  const ids = await Promise.all([submit(), submit()]);
  const all = await Promise.all(ids.map(async (id) => await ended(id)));
  expect(performance.now() - startedAt).toBeGreaterThan(5_000);
  const [deferred = '', other = '', ...more] = runs;
  expect(other).not.toBe(deferred);
  expect(more).toEqual([deferred]);
  const slow = all.find(({ record }) => stageJobId(record.request.id, 'vision') === deferred);
  expect(slow?.types.filter((type) => type === 'stage.released')).toHaveLength(1);
  expect(slow?.record.stages.vision.attempts).toBe(1);
});

test('when no time is left to wait, the request fails with what it waited for', async () => {
  const { submit, ended } = await startPipeline({
    preprocess: async () => await Promise.reject(new TransientError('storage_unavailable', 'Away.')),
  });
  let error: Failure | null | undefined;
  // Its last attempts have five seconds: where the machine stood still meanwhile, another request has them again.
  await until(async () => {
    ({ error } = (await ended(await submit({ deadlineAt: Date.now() + 7_000 }))).record);
    return error?.code !== 'deadline_exceeded';
  });
  expect(error).toMatchObject({ code: 'storage_unavailable', stage: 'preprocess' });
});

test.each([
  { starts: 1, leftMs: 120_000, random: 0, waitMs: 500 },
  { starts: 1, leftMs: 120_000, random: 1, waitMs: 250 },
  { starts: 4, leftMs: 120_000, random: 0, waitMs: 4_000 },
  { starts: 9, leftMs: 120_000, random: 0, waitMs: 12_000 },
  { starts: 99, leftMs: 86_400_000, random: 0, waitMs: 60_000 },
  { starts: 3, leftMs: 4_000, random: 0, waitMs: null },
])('start $starts with $leftMs ms left waits $waitMs ms', ({ waitMs, random, ...facts }) => {
  expect(outageWaitMs(facts, random)).toBe(waitMs);
});
