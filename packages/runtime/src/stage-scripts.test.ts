import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
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
  const { redis, prefix, submit, ended } = await startPipeline();
  await ended(await submit());
  const monitor = await redis.monitor();
  closers.push(() => monitor.disconnect());
  const named: string[] = [];
  monitor.on('monitor', (_time: string, [command = '', , , key = '']: string[]) => {
    if (command.toLowerCase().startsWith('eval') && key.startsWith(`${prefix}:request:`)) named.push(key);
  });
  const id = await submit();
  expect((await ended(id)).record.status).toBe('completed');
  await delay(100);
  // Its acceptance.
  expect(named).toHaveLength(1);
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
  await delay(300);
  expect(await (await job(id, 'rag'))?.getState()).not.toBe('active');
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
  await delay(1_000);
  expect(runs.vision).toBe(1);
  const left = await Promise.all(ids.map(async (id) => (await records.get(id))?.stages.vision.status));
  expect(new Set(left)).toEqual(new Set(['completed', 'pending']));
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
  for (let tries = 0; tries < 50 && !taken.has(`${id}-vision`); tries += 1) await delay(100);
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
