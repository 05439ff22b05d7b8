import { afterEach, expect, test } from '@jest/globals';
import { stages } from '@bunri/queue-contracts';
import { SharedWorkError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';

afterEach(closePipelines);

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

test('without a lease nothing is paid for, and the job waits without an attempt until there is one', async () => {
  let calls = 0;
  const pipeline = await startPipeline({
    vision: async ({ jobId }) =>
      await pipeline.flights.run('key', jobId.replace('-vision', ''), async () => {
        calls += 1;
        return await Promise.resolve(outputs.vision);
      }),
  });
  const lease = pipeline.records.keys.lease('vision', 'key');
  await pipeline.records.redis.set(lease, 'not a lease');
  const id = await pipeline.submit();
  while ((await pipeline.waiting()) === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toBe(0);
  await pipeline.records.redis.del(lease);
  const { record } = await pipeline.ended(id);
  expect(record.status).toBe('completed');
  expect(calls).toBe(1);
  expect((await pipeline.job(id, 'vision'))?.attemptsMade).toBe(1);
});
