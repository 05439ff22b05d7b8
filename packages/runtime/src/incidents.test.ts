import { afterEach, expect, test } from '@jest/globals';
import { stageJobId, stageOrder, stages } from '@bunri/queue-contracts';
import { TransientError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';

afterEach(closePipelines);

test('incident: un-jittered retry storms', async () => {
  const requests = 50;
  let runs = 0;
  const outage = Promise.withResolvers<never>();
  const { submit, ended, redis, prefix } = await startPipeline(
    {
      vision: async () => {
        runs += 1;
        if (runs > requests) return outputs.vision;
        // All fail in one moment, as when a model API goes away.
        if (runs === requests) outage.reject(new TransientError('model_unavailable', 'No answer.'));
        return await outage.promise;
      },
    },
    { concurrency: requests },
  );
  const ids = await Promise.all(Array.from({ length: requests }, async () => await submit()));
  await Promise.all(ids.map(async (id) => await ended(id)));

  const dueAt = await secondAttempts(ids);
  expect(dueAt).toHaveLength(requests);
  const within50Ms = dueAt.map((from) => dueAt.filter((at) => at >= from && at < from + 50).length);
  // Evenly spread over half a second it is a tenth; four tenths come by chance once in millions of runs.
  expect(Math.max(...within50Ms)).toBeLessThanOrEqual(0.4 * requests);
  for (const stage of stageOrder) expect(stages[stage].backoff.jitter).toBeGreaterThanOrEqual(0.5);

  /** When BullMQ has them run again, epoch ms, as its own event stream tells. */
  async function secondAttempts(of: readonly string[]): Promise<number[]> {
    const entries = await redis.xrange(`${prefix}:${stages.vision.queue}:events`, '-', '+');
    const jobIds = new Set(of.map((id) => stageJobId(id, 'vision')));
    return entries.flatMap(([, fields]) => {
      const value = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
      return value('event') === 'delayed' && jobIds.has(value('jobId')) ? [Number(value('delay'))] : [];
    });
  }
});
