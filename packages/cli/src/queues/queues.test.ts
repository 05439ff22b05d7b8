import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { stages } from '@bunri/queue-contracts';
import {
  connectConsumer,
  connectSubscriber,
  createLogger,
  createMetrics,
  createProcessLife,
  createRecordStore,
  newRequestId,
  serveStage,
} from '@bunri/runtime';
import { until } from '@bunri/testkit/until';
import { accepted, openTestShell, outputs, work, type TestShell } from '../command-fixture.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });

let shell: TestShell;
const stops: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  shell = await openTestShell();
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await shell.close();
});

const statusOf = async (id: string) => (await shell.operator.records.get(id))?.status;
const json = async (...args: string[]) => JSON.parse((await shell.bunri([...args, '--json'])).out) as unknown;

interface LookedAt {
  readonly queues: readonly { queue: string; state: string }[];
  readonly troubles: string[];
}
const queueOf = async (name: string) =>
  ((await json('queues', 'status')) as LookedAt).queues.find(({ queue }) => queue === name);

/** A real worker of preprocess, which takes one job at a time. Its jobs run until `let` is called. */
async function startWorker() {
  const { env, operator } = shell;
  const options = { url: env['REDIS_URL'] ?? '', name: 'test', log };
  const [redis, subscriber] = [connectConsumer(options), connectSubscriber(options)];
  await until(() => redis.status === 'ready');
  const life = createProcessLife({ log, graceMs: 5_000 });
  const started: string[] = [];
  const gate = Promise.withResolvers<void>();
  await serveStage({
    stage: 'preprocess',
    handler: async ({ request }) => {
      started.push(request.id);
      await gate.promise;
      return { output: stages.preprocess.output.parse(outputs.preprocess), cached: false };
    },
    redis,
    subscriber,
    life,
    log,
    graceMs: 5_000,
    concurrency: 1,
    records: createRecordStore({ redis, prefix: operator.prefix }),
    prefix: operator.prefix,
    metrics: createMetrics({ app: 'test', processMetrics: false }),
  });
  stops.push(async () => {
    gate.resolve();
    await life.stop('the test ends');
    redis.disconnect();
    subscriber.disconnect();
  });
  return { started, release: () => gate.resolve() };
}

test('the status has every stage, what waits by class, and whether anybody works', async () => {
  await accepted(shell.operator);
  await accepted(shell.operator, { priority: 'batch' });
  expect(await queueOf('preprocess')).toMatchObject({
    state: 'no workers',
    waiting: { interactive: 1, batch: 1, unclassed: 0 },
    workers: 0,
    slots: 0,
  });
  expect(await queueOf('llm')).toMatchObject({ waiting_children: 2 });
  const { code, out } = await shell.bunri(['queues', 'status']);
  expect(code).toBe(0);
  expect(out).toMatch(/^QUEUE +STATE +INTERACTIVE +BATCH/);
  expect(out).toMatch(/^preprocess +no workers +1 +1 /m);
  expect(out).toContain('2 open requests, 0 dead letters.');
  expect(await shell.bunri(['queues', 'status', '--check'])).toMatchObject({
    code: 1,
    out: expect.stringContaining('! preprocess has 2 jobs and no workers'),
  });
  await startWorker();
  expect(await queueOf('preprocess')).toMatchObject({ state: 'running', workers: 1, slots: 1 });
});

test('a queue that is no stage’s is found, and cannot be drained', async () => {
  const { redis, prefix } = shell.operator;
  await redis.hset(`${prefix}:maintenance:meta`, 'opts.maxLenEvents', '10000');
  await redis.rpush(`${prefix}:maintenance:wait`, 'job');
  expect(await queueOf('maintenance')).toMatchObject({ waiting: { unclassed: 1 }, slots: null });
  expect(await shell.bunri(['queues', 'drain', 'maintenance', '--yes'])).toMatchObject({ code: 64 });
});

test('a queue is described by its settings, and by what runs and what is next', async () => {
  const { started } = await startWorker();
  const first = await accepted(shell.operator);
  await until(() => started.length === 1);
  const second = await accepted(shell.operator);
  const described = await json('queues', 'describe', 'preprocess');
  expect(described).toMatchObject({
    settings: { resource: 'io', attempts: 4, timeout_ms: 30_000, concurrency: 8, replicas: 3 },
    slots: 1,
    jobs: [
      { state: 'active', request_id: first },
      { state: 'next', request_id: second },
    ],
  });
  const { out } = await shell.bunri(['queues', 'describe', 'preprocess']);
  expect(out).toMatch(/^preprocess +running/);
  expect(out).toContain(second);
});

test('a pause waits for what runs, holds what comes until it is resumed, and is a trouble of the status', async () => {
  const worker = await startWorker();
  const running = await accepted(shell.operator);
  await until(() => worker.started.length === 1);
  const unwaited = await shell.bunri(['queues', 'pause', 'preprocess', '--wait', '0s']);
  expect(unwaited.out).toContain('1 jobs run still');
  const pausing = json('queues', 'pause', 'preprocess');
  worker.release();
  expect(await pausing).toEqual({ queue: 'preprocess', paused: true, active: 0 });
  expect((await shell.operator.records.get(running))?.stages.preprocess.status).toBe('completed');
  const held = await accepted(shell.operator);
  expect(await queueOf('preprocess')).toMatchObject({ state: 'paused', waiting: { interactive: 1 } });
  expect(await shell.bunri(['queues', 'status', '--check'])).toMatchObject({
    code: 1,
    out: expect.stringContaining('! preprocess is paused'),
  });
  expect(worker.started).not.toContain(held);
  expect((await shell.bunri(['queues', 'resume', 'preprocess'])).out).toContain('goes on');
  await until(() => worker.started.includes(held));
  const { out } = await shell.bunri(['queues', 'failed']);
  expect(out).toContain('No dead letters');
  expect((await shell.bunri(['audit'])).out).toMatch(/queues\.pause +preprocess +done[^]*queues\.resume +preprocess/);
});

test('a drain ends what waits with a typed error, leaves what runs, and all of it can be run again', async () => {
  const worker = await startWorker();
  const running = await accepted(shell.operator);
  await until(() => worker.started.length === 1);
  const told = await accepted(shell.operator, { webhookUrl: 'https://example.com/' });
  const waiting = [told, await accepted(shell.operator, { priority: 'batch' })];
  const [drained = '', other = ''] = waiting;
  const unasked = await shell.bunri(['queues', 'drain', 'preprocess']);
  expect(unasked).toMatchObject({ code: 1, err: expect.stringContaining('--yes') });
  const refused = await shell.bunri(['queues', 'drain', 'preprocess'], { answer: 'no' });
  expect(refused.asked).toEqual([expect.stringContaining('2 waiting jobs of preprocess')]);
  expect(await statusOf(drained)).toBe('queued');
  const { code, out } = await shell.bunri(['queues', 'drain', 'preprocess'], { answer: 'yes' });
  expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('2 requests of preprocess were ended') });
  for (const id of waiting) {
    const error = { code: 'ended_by_operator', stage: 'preprocess', retryable: true };
    expect(await shell.operator.records.get(id)).toMatchObject({ status: 'failed', error });
  }
  const { redis, records } = shell.operator;
  expect(await redis.zrange(records.keys.outbox, 0, '-1')).toEqual([expect.stringContaining(`failed ${told} `)]);
  expect(await queueOf('preprocess')).toMatchObject({
    state: 'running',
    active: 1,
    waiting: { interactive: 0, batch: 0, unclassed: 0 },
  });
  // Their whole flows are gone; the running one has its own still.
  expect(await queueOf('llm')).toMatchObject({ waiting_children: 1, waiting: { interactive: 0 } });
  worker.release();
  await until(async () => (await shell.operator.records.get(running))?.stages.preprocess.status === 'completed');
  expect(await shell.bunri(['queues', 'retry', '--code', 'ended_by_operator'])).toMatchObject({ out: '2 reopened.' });
  await until(() => worker.started.includes(drained) && worker.started.includes(other));
  expect((await shell.bunri(['audit'])).out).toMatch(
    /queues\.drain +preprocess +begun[^]*queues\.drain +preprocess +done +"?ended"?=2/,
  );
});

test('a drain of a queue that was paused before leaves it paused', async () => {
  await shell.bunri(['queues', 'pause', 'preprocess', '--wait', '0s']);
  const id = await accepted(shell.operator);
  expect(await json('queues', 'drain', 'preprocess', '--yes')).toMatchObject({ ended: 1, void: 0, left: 0 });
  expect(await statusOf(id)).toBe('failed');
  expect(await queueOf('preprocess')).toMatchObject({ state: 'paused' });
});

test('jobs of requests that have ended are removed by a drain, and jobs that are not understood stay', async () => {
  const id = await accepted(shell.operator);
  await shell.operator.records.cancel(id);
  const { redis, prefix } = shell.operator;
  await redis.hset(`${prefix}:preprocess:odd`, { name: 'odd', data: '{}', opts: '{}', timestamp: '1' });
  await redis.lpush(`${prefix}:preprocess:wait`, 'odd');
  const drained = await shell.bunri(['queues', 'drain', 'preprocess', '--yes', '--json']);
  expect(drained.code).toBe(1);
  expect(JSON.parse(drained.out)).toMatchObject({ ended: 0, void: 1, left: 1 });
  expect(await statusOf(id)).toBe('canceled');
});

test('states and results tell how far a request came and what was found', async () => {
  const id = await accepted(shell.operator);
  expect(await json('queues', 'states', id)).toMatchObject({
    status: 'queued',
    stages: [
      { stage: 'preprocess', status: 'pending', job: 'prioritized' },
      { stage: 'vision', status: 'pending', job: 'waiting-children' },
      { stage: 'rag' },
      { stage: 'llm' },
    ],
  });
  expect((await shell.bunri(['queues', 'results', id])).code).toBe(1);
  await work(shell.operator, id);
  const { code, out } = await shell.bunri(['queues', 'results', id]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ status: 'completed', guidance: { answer: 'Rinse it.' } });
  expect(out).not.toContain('diary');
  expect(await shell.bunri(['queues', 'states', newRequestId()])).toMatchObject({ code: 1 });
});

test('on a terminal a watch draws over itself, and puts the terminal back', async () => {
  const drawn: string[] = [];
  const stop = new AbortController();
  const draw = (text: string) => {
    drawn.push(text);
    if (drawn.length === 3) stop.abort();
  };
  const { code, out } = await shell.bunri(['queues', 'status', '--watch', '--interval', '1s'], {
    over: { draw, signal: stop.signal },
  });
  expect({ code, out }).toEqual({ code: 0, out: '' });
  expect(drawn).toHaveLength(4);
  expect(drawn[2]?.startsWith('\u001B[H')).toBe(true);
  expect(drawn[2]).toContain('\u001B[K\npreprocess ');
  expect(drawn[3]).toBe('\u001B[?7h\u001B[?25h');
});
