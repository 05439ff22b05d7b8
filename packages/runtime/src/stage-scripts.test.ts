import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis, until } from '@bunri/testkit';
import { createAbortRegistry } from './abort-registry.ts';
import { PermanentError } from './errors.ts';
import { closePipelines, outputs, startPipeline } from './pipeline-fixture.ts';
import { registerStageScripts } from './stage-scripts.ts';

const closers: (() => void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await closePipelines();
});

/** Lets `reply` answer in the place of Redis, once, to the script that ends a run of this stage. */
function answerOnce(redis: Redis, stage: string, reply: () => Promise<unknown>) {
  type Command = (...args: unknown[]) => Promise<unknown>;
  const commands = redis as unknown as { bunri_finishAndMove: Command };
  const real = commands.bunri_finishAndMove.bind(redis);
  const calls = { count: 0 };
  commands.bunri_finishAndMove = async (...args) => {
    if (!args.includes(stage)) return await real(...args);
    calls.count += 1;
    return await (calls.count === 1 ? reply() : real(...args));
  };
  return calls;
}

test('a stage begins with its job and ends with it: no other script of a worker names the record', async () => {
  // One that nobody else uses: ioredis takes what a monitor hears before its own answer for an answer.
  const server = await startRedis({ binary: process.env['REDIS_SERVER_BIN'] });
  const connect = () => new Redis(server.url, { maxRetriesPerRequest: null });
  const { redis, prefix, submit, ended } = await startPipeline({}, { at: { prefix: '{own}', connect } });
  await ended(await submit());
  const monitor = await redis.monitor();
  closers.push(() => monitor.disconnect());
  const named: string[] = [];
  monitor.on('monitor', (_time: string, [command = '', , , key = '']: string[]) => {
    if (command.toLowerCase().startsWith('eval') && key.startsWith(`${prefix}:request:`)) named.push(key);
  });
  const id = await submit();
  expect((await ended(id)).record.status).toBe('completed');
  await until(() => named.length > 0);
  await delay(100);
  // Its acceptance.
  expect(named).toHaveLength(1);
  await closePipelines();
  await server.stop();
});

test('what Redis refuses to write is written later, and the work is not done again', async () => {
  const { redis, submit, ended, runs } = await startPipeline();
  const calls = answerOnce(redis, 'vision', async () => await Promise.reject(new Error('OOM command not allowed')));
  const { record, types } = await ended(await submit());
  expect(record.status).toBe('completed');
  expect(runs.vision).toBe(1);
  expect(types.filter((type) => type === 'stage.started')).toHaveLength(4);
  expect(calls.count).toBeGreaterThan(1);
});

test('a result that is not taken does not complete its job: the stage runs again', async () => {
  const { redis, submit, ended, runs, job } = await startPipeline();
  answerOnce(redis, 'preprocess', async () => await Promise.resolve([['unstored']]));
  const id = await submit();
  expect((await ended(id)).record.status).toBe('completed');
  expect(runs).toMatchObject({ preprocess: 2, vision: 1 });
  expect((await job(id, 'preprocess'))?.attemptsMade).toBe(1);
});

test('a run that was canceled while it worked completes its job by itself', async () => {
  const { submit, ended, records, job } = await startPipeline({
    rag: async () => {
      await records.cancel(id);
      return outputs.rag;
    },
  });
  const id = await submit();
  expect((await ended(id)).record.status).toBe('canceled');
  await until(async () => (await (await job(id, 'rag'))?.getState()) !== 'active');
});

test('a run that comes late to what has begun asks the record again, as the run that it is', async () => {
  const { submit, ended } = await startPipeline();
  const now = performance.now.bind(performance);
  let asked = 0;
  // Between a job's being taken and its run the process stands still for longer than an answer is good.
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + (asked += 1) * 1_500);
  closers.push(() => clock.mockRestore());
  const { record, types } = await ended(await submit());
  expect(Object.values(record.stages).map(({ attempts }) => attempts)).toEqual([1, 1, 0, 1, 1]);
  expect(types.filter((type) => type === 'stage.started')).toHaveLength(4);
});

test('a request that is canceled as its job is taken does not run', async () => {
  const { redis, submit, ended, records, runs } = await startPipeline();
  type Command = (...args: unknown[]) => Promise<unknown>;
  const commands = redis as unknown as { bunri_take: Command };
  const real = commands.bunri_take.bind(redis);
  let id = '';
  commands.bunri_take = async (...args) => {
    const reply = await real(...args);
    const [[taken]] = reply as [[unknown]];
    if (!Array.isArray(taken) || taken[1] !== `${id}-vision`) return reply;
    // The word comes before the reply, so that there is nothing to abort yet.
    await records.cancel(id);
    await delay(100);
    return reply;
  };
  id = await submit();
  const { record } = await ended(id);
  expect(record.status).toBe('canceled');
  await delay(200);
  expect(runs).toMatchObject({ preprocess: 1, vision: 0 });
});

test('who stops takes no other job with a result that is written late', async () => {
  const { redis, submit, runs, lives, records, job } = await startPipeline({}, { concurrency: 1 });
  answerOnce(redis, 'vision', async () => {
    void lives.vision.stop('test');
    return await Promise.reject(new Error('OOM command not allowed'));
  });
  const given = { preprocess: outputs.preprocess };
  const ids = [await submit({}, given), await submit({}, given)];
  const left = async () => await Promise.all(ids.map(async (id) => (await records.get(id))?.stages.vision.status));
  await until(async () => (await left()).includes('completed'));
  await delay(300);
  expect(runs.vision).toBe(1);
  expect(new Set(await left())).toEqual(new Set(['completed', 'pending']));
  const states = await Promise.all(ids.map(async (id) => await (await job(id, 'vision'))?.getState()));
  expect(states).toContain('prioritized');
});

test('a job that is failed for its child does not begin', async () => {
  const { redis, submit, ended } = await startPipeline({
    preprocess: async () => await Promise.reject(new PermanentError('image_undecodable', 'Not an image.')),
  });
  type Command = (...args: unknown[]) => Promise<[[unknown], (string[] | null | undefined)?]>;
  const commands = redis as unknown as { bunri_take: Command };
  const real = commands.bunri_take.bind(redis);
  const taken = new Map<string, string[] | null>();
  commands.bunri_take = async (...args) => {
    const [[job], begun] = await real(...args);
    if (Array.isArray(job) && typeof job[1] === 'string') taken.set(job[1], begun ?? null);
    return [[job], begun];
  };
  const id = await submit();
  await ended(id);
  await until(() => taken.has(`${id}-vision`));
  expect(taken.get(`${id}-preprocess`)?.[0]).toBe('started');
  expect(taken.get(`${id}-vision`)).toBeNull();
});

test('who comes when all are aborted is aborted too', () => {
  const registry = createAbortRegistry();
  registry.abortAll('shutdown');
  expect(registry.track('req_1').controller.signal.aborted).toBe(true);
});

test('what was to be aborted is known for a moment', () => {
  let now = 0;
  const registry = createAbortRegistry(() => now);
  registry.abort('req_1', 'canceled');
  now = 2_000;
  expect(registry.heardOf('req_1')).toBe(true);
  expect(registry.heardOf('req_2')).toBe(false);
  now = 2_001;
  expect(registry.heardOf('req_1')).toBe(false);
});

test('without BullMQ’s scripts there are none of two', () => {
  const redis = new Redis({ lazyConnect: true });
  closers.push(() => redis.disconnect());
  expect(registerStageScripts(redis)).toBeNull();
});
