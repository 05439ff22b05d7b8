import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { createProcessLife, type ProcessLife } from '@bunri/runtime';
import { openWorld, type World } from './fixture.ts';
import { createSuccesses } from './successes.ts';
import type { Task } from './task.ts';
import { serveTasks } from './task-queue.ts';

const everySecond = { pattern: '* * * * * *', timeoutMs: 5_000 };
const yearly = { pattern: '0 0 1 1 *', timeoutMs: 5_000 };

let world: World;
const lives: ProcessLife[] = [];
beforeEach(() => {
  world = openWorld(process.env);
});
afterEach(async () => {
  for (const life of lives.splice(0)) await life.stop('test ends');
  await world.close();
});

/** A scheduler as a process of its own would be, but for the process. */
async function startScheduler(tasks: Record<string, Task>, schedule = everySecond, graceMs = 2_000) {
  const { redis, prefix, log, metrics } = world;
  const life = createProcessLife({ log, graceMs });
  lives.push(life);
  const schedules = Object.fromEntries(Object.keys(tasks).map((name) => [name, schedule]));
  const successes = createSuccesses(world);
  const surroundings = { redis, prefix, graceMs, log, metrics, successes, stalledCheckMs: 200, reconcileEveryMs: 200 };
  const queue = await serveTasks({ ...surroundings, queue: 'watch', schedules, tasks });
  life.onStop('task queue', async () => await queue.close());
  return life;
}

/** Starts the task now instead of at its time. */
async function runNow(name: string, attempts = 3): Promise<void> {
  const queue = new Queue('watch', { connection: world.redis, prefix: world.prefix });
  await queue.add(name, {}, { attempts, backoff: 1 });
  await queue.close();
}

async function metric(name: string): Promise<string> {
  return await world.metrics.registry.getSingleMetricAsString(name);
}

test('two schedulers run each tick once, and never two at a time', async () => {
  const ticks: number[] = [];
  let running = 0;
  let mostRunning = 0;
  const enough = Promise.withResolvers<void>();
  const tick: Task = async ({ scheduledAt }) => {
    running += 1;
    mostRunning = Math.max(mostRunning, running);
    ticks.push(scheduledAt);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (ticks.length >= 4) enough.resolve();
    return {};
  };
  await Promise.all([startScheduler({ tick }), startScheduler({ tick })]);
  await enough.promise;
  for (const life of lives.splice(0)) await life.stop('test');
  expect(ticks.filter((at) => at % 1_000 !== 0)).toEqual([]);
  expect(new Set(ticks).size).toBe(ticks.length);
  expect(mostRunning).toBe(1);
});

test('after Redis came back empty, the schedules are there again and ticks go on', async () => {
  let ticked = Promise.withResolvers<void>();
  await startScheduler({
    tick: async () => {
      ticked.resolve();
      return await Promise.resolve({});
    },
  });
  await ticked.promise;
  const { redis, prefix } = world;
  await redis.unlink(...(await redis.keys(`${prefix}*`)));
  ticked = Promise.withResolvers<void>();
  await ticked.promise;
  const queue = new Queue('watch', { connection: redis, prefix });
  expect((await queue.getJobSchedulers()).map(({ key }) => key)).toEqual(['tick']);
  await queue.close();
});

test('a tick that came due while no scheduler was there is run once by the next one', async () => {
  const first = await startScheduler({ tick: async () => await Promise.resolve({}) }, yearly);
  await first.stop('test');
  const queue = new Queue('watch', { connection: world.redis, prefix: world.prefix });
  const [due] = await queue.getDelayed();
  await due?.promote();
  const ran = Promise.withResolvers<number>();
  await startScheduler(
    { tick: async ({ scheduledAt }) => (ran.resolve(scheduledAt), await Promise.resolve({})) },
    yearly,
  );
  expect(await ran.promise).toBe(due?.opts.prevMillis);
  await lives.pop()?.stop('test');
  expect(await queue.getJobCounts('delayed', 'waiting', 'completed')).toEqual({ delayed: 1, waiting: 0, completed: 1 });
  await queue.close();
});

test('a task that fails is tried three times, and each run is counted', async () => {
  let runs = 0;
  const failed = Promise.withResolvers<void>();
  const task: Task = async () => {
    runs += 1;
    if (runs === 3) failed.resolve();
    return await Promise.reject(new Error('the bucket is away'));
  };
  const life = await startScheduler({ task }, yearly);
  await runNow('task');
  await failed.promise;
  await life.stop('test');
  expect(runs).toBe(3);
  expect(await metric('bunri_schedule_runs_total')).toContain('task="task",outcome="failed",app="test"} 3');
  expect(await metric('bunri_schedule_last_success_timestamp_seconds')).not.toContain('task="task"');
});

test('a task that has not run yet is shown with 0 failures, from which an increase is seen', async () => {
  await startScheduler({ tick: async () => await Promise.resolve({}) });
  expect(await metric('bunri_schedule_runs_total')).toContain('task="tick",outcome="failed",app="test"} 0');
});

test('the time of the last success outlives the process', async () => {
  const life = await startScheduler({ task: async () => await Promise.resolve({ done: 1 }) }, yearly);
  await runNow('task');
  const queue = new Queue('watch', { connection: world.redis, prefix: world.prefix });
  while ((await queue.getCompletedCount()) === 0) await new Promise((resolve) => setImmediate(resolve));
  await queue.close();
  await life.stop('test');
  world.metrics.scheduleLastSuccess.reset();
  await createSuccesses(world).show();
  expect(await metric('bunri_schedule_last_success_timestamp_seconds')).toMatch(/task="task",app="test"\} 1\d{9}/);
});

test('a stopping scheduler lets the running task finish', async () => {
  const started = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  let finished = false;
  const task: Task = async () => {
    started.resolve();
    await mayEnd.promise;
    finished = true;
    return {};
  };
  const life = await startScheduler({ task }, yearly);
  await runNow('task');
  await started.promise;
  const stopped = life.stop('test');
  mayEnd.resolve();
  expect(await stopped).toBe(0);
  expect(finished).toBe(true);
});

test.each([
  ['its time-out', { ...yearly, timeoutMs: 50 }, 2_000],
  ['the end of the grace', yearly, 50],
])('a task that does not end by itself is aborted at %s, and due again', async (_what, schedule, graceMs) => {
  const started = Promise.withResolvers<AbortSignal>();
  const task: Task = async ({ signal }) => {
    started.resolve(signal);
    return await new Promise<never>(() => undefined);
  };
  const life = await startScheduler({ task }, schedule, graceMs);
  await runNow('task', 2);
  const signal = await started.promise;
  expect(await life.stop('test')).toBe(0);
  expect(signal.aborted).toBe(true);
  const queue = new Queue('watch', { connection: world.redis, prefix: world.prefix });
  const { delayed = 0, waiting = 0 } = await queue.getJobCounts('delayed', 'waiting');
  await queue.close();
  // One is the next run of the year, the other the second attempt.
  expect(delayed + waiting).toBe(2);
});

test('a job of a task that is not known any more fails at once', async () => {
  const life = await startScheduler({ task: async () => await Promise.resolve({}) }, yearly);
  await runNow('forgotten');
  const queue = new Queue('watch', { connection: world.redis, prefix: world.prefix });
  while ((await queue.getFailedCount()) === 0) await new Promise((resolve) => setImmediate(resolve));
  const [job] = await queue.getFailed();
  expect(job).toMatchObject({ failedReason: 'no task is called forgotten', attemptsMade: 1 });
  await queue.close();
  await life.stop('test');
});

test('a task that a killed scheduler held is run by the next one', async () => {
  const { redis, prefix } = world;
  await runNow('task');
  // Takes the job as a worker does, and never comes back; its lock is short so that the test need not wait for it.
  const killed = new Worker('watch', null, { connection: redis, prefix, lockDuration: 100 });
  expect(await killed.getNextJob('token of the dead')).toMatchObject({ name: 'task' });
  await killed.close();
  const ran = Promise.withResolvers<void>();
  const task: Task = async () => {
    ran.resolve();
    return await Promise.resolve({});
  };
  await startScheduler({ task }, yearly);
  await ran.promise;
});
