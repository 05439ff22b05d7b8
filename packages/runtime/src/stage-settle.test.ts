import { afterEach, expect, jest, test } from '@jest/globals';
import { DeferredError, TransientError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { outageWaitMs } from './stage-settle.ts';

jest.setTimeout(20_000);
afterEach(closePipelines);

test('while storage is away a request waits, longer than its attempts would last, and is answered when it is back', async () => {
  let away = 6;
  const { submit, ended } = await startPipeline({
    preprocess: async () => {
      away -= 1;
      if (away >= 0) throw new TransientError('storage_unavailable', 'Away.');
      return await Promise.resolve(outputs.preprocess);
    },
  });
  // A short time to go on makes the waits short: a tenth of what is left.
  const { record, types } = await ended(await submit({ deadlineAt: Date.now() + 12_000 }));
  expect(record.status).toBe('completed');
  expect(types.filter((type) => type === 'stage.released')).toHaveLength(6);
  expect(types).not.toContain('stage.retrying');
});

test('a job that is deferred waits alone and spends no attempt, while others of its queue are answered', async () => {
  let runs = 0;
  const { submit, ended } = await startPipeline(
    {
      vision: async () => {
        runs += 1;
        // Of two, whichever comes first.
        if (runs === 1) throw new DeferredError(1_500, 'this one');
        return await Promise.resolve(outputs.vision);
      },
    },
    { concurrency: 1 },
  );
  const startedAt = performance.now();
  const ids = [await submit(), await submit()];
  const all = await Promise.all(ids.map(async (id) => ({ ...(await ended(id)), at: performance.now() - startedAt })));
  const [quick, slow] = all.toSorted((a, b) => a.at - b.at);
  expect(quick?.at).toBeLessThan(1_500);
  expect(slow?.at).toBeGreaterThan(1_500);
  expect(slow?.types.filter((type) => type === 'stage.released')).toHaveLength(1);
  expect(slow?.record.stages.vision.attempts).toBe(1);
});

test('when no time is left to wait, the request fails with what it waited for', async () => {
  const { submit, ended } = await startPipeline({
    preprocess: async () => await Promise.reject(new TransientError('storage_unavailable', 'Away.')),
  });
  const { record } = await ended(await submit({ deadlineAt: Date.now() + 7_000 }));
  expect(record.error).toMatchObject({ code: 'storage_unavailable', stage: 'preprocess' });
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
