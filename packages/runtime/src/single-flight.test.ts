import { afterEach, expect, jest, test } from '@jest/globals';
import { Job } from 'bullmq';
import { stages } from '@bunri/queue-contracts';
import { SharedWorkError, StageAbort } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';

afterEach(closePipelines);
afterEach(() => void jest.restoreAllMocks());

const nothing = async () => await Promise.resolve(null);

test('the same work in flight is done once, and whoever waits for it holds no slot and spends no attempt', async () => {
  const promote = jest.spyOn(Job.prototype, 'promote');
  let calls = 0;
  const handlers: Parameters<typeof startPipeline>[0] = {
    vision: async ({ jobId }) => {
      const recall = async () => await pipeline.cache.get('vision', 'same photo', stages.vision.output);
      const work = async () => {
        calls += 1;
        // Ends once all others have come, found it in flight and gone to wait.
        while ((await pipeline.waiting()) < 29) await new Promise((resolve) => setImmediate(resolve));
        await pipeline.cache.set('vision', 'same photo', outputs.vision);
        return outputs.vision;
      };
      return await pipeline.flights.run('same photo', jobId.replace('-vision', ''), recall, work);
    },
  };
  const pipeline = await startPipeline(handlers, { longestWaitMs: 3_600_000 });
  const ids = await Promise.all(Array.from({ length: 30 }, async () => await pipeline.submit()));
  const ended = await Promise.all(ids.map(pipeline.ended));
  expect(ended.map(({ record }) => record.status)).toEqual(ids.map(() => 'completed'));
  expect(calls).toBe(1);
  expect(ended.every(({ record }) => record.stages.vision.attempts === 1)).toBe(true);
  // They were woken: none would have looked again by itself before the lease ended, and what sleeps no more is not promoted.
  expect(promote).toHaveBeenCalledTimes(29);
  const woken = await Promise.allSettled(promote.mock.results.map(async ({ value }) => await (value as Promise<void>)));
  expect(woken.map(({ status }) => status)).toEqual(woken.map(() => 'fulfilled'));
});

/** A pipeline with open requests of these names. */
async function withOpen(...ids: string[]) {
  const pipeline = await startPipeline();
  for (const id of ids) await pipeline.redis.hset(pipeline.records.keys.record(id), 'status', 'running');
  return pipeline;
}

test('work whose worker died is taken again by the same request, and by others only when it has ended', async () => {
  const { flights } = await withOpen('req_a', 'req_b', 'req_c');
  const inFlight = Promise.withResolvers<string>();
  const first = flights.run('key', 'req_a', nothing, async () => await inFlight.promise);
  await expect(flights.run('key', 'req_b', nothing, async () => await Promise.resolve('b'))).rejects.toThrow(
    SharedWorkError,
  );
  expect(await flights.run('key', 'req_a', nothing, async () => await Promise.resolve('again'))).toBe('again');
  // The later run has ended the lease; what the earlier one does at its end must not touch the next holder's.
  const next = Promise.withResolvers<string>();
  const other = flights.run('key', 'req_b', nothing, async () => await next.promise);
  inFlight.resolve('late');
  expect(await first).toBe('late');
  await expect(flights.run('key', 'req_c', nothing, async () => await Promise.resolve('c'))).rejects.toThrow(
    SharedWorkError,
  );
  next.resolve('b');
  expect(await other).toBe('b');
});

test('what is known already is found with the lease, not before it, and is held by nobody', async () => {
  const { flights, redis, records } = await withOpen('req_a', 'req_b');
  const lease = records.keys.lease('vision', 'key');
  const known = async () => ((await redis.exists(lease)) === 1 ? 'known' : 'too early');
  const work = async () => await Promise.reject(new Error('paid'));
  expect(await flights.run('key', 'req_a', known, work)).toBe('known');
  const inFlight = Promise.withResolvers<string>();
  const other = flights.run('key', 'req_b', nothing, async () => await inFlight.promise);
  expect(await flights.run('key', 'req_a', known, work)).toBe('known');
  inFlight.resolve('b');
  expect(await other).toBe('b');
});

test('what is known already is given even where Redis gives no lease', async () => {
  const { flights, redis, records } = await withOpen('req_a');
  await redis.set(records.keys.lease('vision', 'key'), 'not a lease');
  const known = async () => await Promise.resolve('known');
  expect(await flights.run('key', 'req_a', known, async () => await Promise.resolve('paid'))).toBe('known');
});

test('a run does not wait for what it keeps, but its lease does', async () => {
  const { flights } = await withOpen('req_a', 'req_b');
  const keeping = Promise.withResolvers<void>();
  const work = async (until: (kept: Promise<unknown>) => void) => {
    until(keeping.promise);
    return await Promise.resolve('paid');
  };
  expect(await flights.run('key', 'req_a', nothing, work)).toBe('paid');
  const again = async () => await flights.run('key', 'req_b', nothing, async () => await Promise.resolve('again'));
  await expect(again()).rejects.toThrow(SharedWorkError);
  keeping.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(await again()).toBe('again');
});

test('a look that fails is no reason to pay, and leaves the work free', async () => {
  const { flights } = await withOpen('req_a', 'req_b');
  const broken = async () => await Promise.reject(new Error('no look'));
  const work = async () => await Promise.resolve('paid');
  await expect(flights.run('key', 'req_a', broken, work)).rejects.toThrow('no look');
  expect(await flights.run('key', 'req_b', nothing, work)).toBe('paid');
});

test('nothing is paid for a request that was canceled, or whose store came back empty', async () => {
  const { flights, redis, records } = await withOpen('req_a', 'req_b');
  await redis.hset(records.keys.record('req_a'), 'status', 'canceled');
  await redis.del(records.keys.record('req_b'));
  for (const id of ['req_a', 'req_b']) {
    const paid = flights.run('key', id, nothing, async () => await Promise.reject(new Error('paid')));
    await expect(paid).rejects.toEqual(new StageAbort('closed'));
  }
});

test('work that failed is free for the next', async () => {
  const { flights } = await withOpen('req_a', 'req_b');
  await expect(flights.run('key', 'req_a', nothing, async () => await Promise.reject(new Error('no')))).rejects.toThrow(
    'no',
  );
  expect(await flights.run('key', 'req_b', nothing, async () => await Promise.resolve('yes'))).toBe('yes');
});

test('without a lease nothing is paid for, and the job waits without an attempt until there is one', async () => {
  let calls = 0;
  const pipeline = await startPipeline({
    vision: async ({ jobId }) =>
      await pipeline.flights.run('key', jobId.replace('-vision', ''), nothing, async () => {
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
