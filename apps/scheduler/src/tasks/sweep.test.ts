import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { stageJobId, stageOrder, type StageName } from '@bunri/queue-contracts';
import { createFlowQueue, createRecordStore, type FlowQueue } from '@bunri/runtime';
import { openWorld, sampleRequest, sampleRun, type World } from '../fixture.ts';
import { sweep } from './sweep.ts';

let world: World;
let flows: FlowQueue;
beforeEach(() => {
  world = openWorld(process.env);
  flows = createFlowQueue(world);
});
afterEach(async () => {
  await flows.close();
  await world.close();
});

/** The sweep, that many ms from now. */
async function sweepIn(ms: number) {
  const { redis, prefix, metrics } = world;
  const now = () => Date.now() + ms;
  const records = createRecordStore({ redis, prefix, now });
  return await sweep({ records, flows, prefix, metrics, now })(sampleRun());
}

async function jobCount(): Promise<number> {
  let count = 0;
  for (const stage of stageOrder) {
    const queue = new Queue(stage, { connection: world.redis, prefix: world.prefix });
    count += await queue.getJobCountByTypes('prioritized', 'waiting-children');
    await queue.close();
  }
  return count;
}

const nothing = { overdue: 0, without_flow: 0, requeued: 0, without_look: 0, woken: 0, raised: 0, without_record: 0 };

test('a request past its deadline fails with a typed error, once, and whoever wants to know is told', async () => {
  const { records, metrics } = world;
  const request = sampleRequest({ webhookUrl: 'https://example.com/' });
  await records.accept(request);
  await flows.add(request);

  expect(await sweepIn(60_000)).toEqual(nothing);
  expect(await sweepIn(121_000)).toEqual({ ...nothing, overdue: 1 });
  expect(await sweepIn(121_000)).toEqual(nothing);
  expect(await records.get(request.id)).toMatchObject({ status: 'failed', error: { code: 'deadline_exceeded' } });
  expect((await records.events(request.id, 0)).map(({ type }) => type)).toEqual(['accepted', 'failed']);
  const told = await records.redis.zrange(records.keys.outbox, 0, '-1');
  expect(told).toEqual([`classification.failed ${request.id} 2`]);
  expect(await metrics.registry.getSingleMetricAsString('bunri_swept_total')).toContain(
    'found="overdue",app="test"} 1',
  );
});

test('an accepted request without a flow gets one after half a minute, and only one', async () => {
  await world.records.accept(sampleRequest());
  expect(await sweepIn(29_000)).toEqual(nothing);
  expect(await jobCount()).toBe(0);
  expect(await sweepIn(31_000)).toEqual({ ...nothing, without_flow: 1 });
  expect(await sweepIn(31_000)).toEqual(nothing);
  expect(await jobCount()).toBe(stageOrder.length);
});

test('a request that waits in a long queue is left alone', async () => {
  const request = sampleRequest();
  await world.records.accept(request);
  await flows.add(request);
  expect(await sweepIn(60_000)).toEqual(nothing);
  expect(await jobCount()).toBe(stageOrder.length);
});

test('index entries without a record are removed', async () => {
  const { records, redis } = world;
  const [first, second] = [sampleRequest(), sampleRequest({ deadlineAt: Date.now() + 3_600_000 })];
  for (const request of [first, second]) {
    await records.accept(request);
    await redis.del(records.keys.record(request.id));
  }
  expect(await sweepIn(121_000)).toEqual({ ...nothing, without_record: 2 });
  expect(await redis.exists(records.keys.deadlines, records.keys.unqueued)).toBe(0);
});

test('more requests than one batch are all found, whatever stands between them', async () => {
  const { records } = world;
  const deadlineAt = Date.now() + 3_600_000;
  const requests = Array.from({ length: 1_100 }, () => sampleRequest({ deadlineAt }));
  await Promise.all(requests.map(async (request) => await records.accept(request)));
  const gone = requests.filter((_, i) => i % 3 === 0);
  await world.redis.del(...gone.map(({ id }) => records.keys.record(id)));

  expect(await sweepIn(60_000)).toEqual({ ...nothing, without_flow: 733, without_record: 367 });
  expect(await jobCount()).toBe(733 * stageOrder.length);
  expect(await sweepIn(3_700_000)).toEqual({ ...nothing, overdue: 733 });
});

test('an abort ends the sweep before the next batch', async () => {
  const { records, prefix, metrics } = world;
  await records.accept(sampleRequest());
  const run = sweep({ records, flows, prefix, metrics })(sampleRun({ signal: AbortSignal.abort(new Error('stop')) }));
  await expect(run).rejects.toThrow('stop');
});

/** A request that is at its vision stage, with its flow in BullMQ as given. */
async function atVision(change: (job: (stage: StageName) => string) => Promise<unknown>) {
  const { records, prefix } = world;
  const request = sampleRequest();
  await records.accept(request);
  await flows.add(request);
  const run = { id: request.id, stage: 'preprocess', token: 'a' } as const;
  await records.start(run);
  await records.finish(run, { output: { n: 1 }, durationMs: 1, cached: false });
  await change((stage) => `${prefix}:${stage}:${stageJobId(request.id, stage)}`);
  return request.id;
}

test('a begun request without a job that could bring it on is queued again from its stage on, once', async () => {
  const { records, redis, prefix } = world;
  const broken = [
    await atVision(async (job) => await redis.del(...stageOrder.map(job))),
    await atVision(async (job) => await redis.del(job('vision'))),
    await atVision(async (job) => await redis.hset(job('vision'), 'finishedOn', 1)),
    // The parent waits for a child that vanished, and for one that ended without telling it.
    await atVision(async (job) => await redis.del(job('preprocess'))),
    await atVision(async (job) => await redis.hset(job('preprocess'), 'finishedOn', 1)),
  ];
  const whole = await atVision(async () => await Promise.resolve());

  // Record and jobs may differ for moments.
  expect(await sweepIn(20_000)).toEqual(nothing);
  expect(await sweepIn(40_000)).toEqual({ ...nothing, requeued: broken.length });
  expect(await sweepIn(40_000)).toEqual(nothing);
  for (const id of broken) {
    expect(await records.get(id)).toMatchObject({ status: 'queued', generation: 1, stages: { vision: { lost: 1 } } });
    const names = await redis.keys(`${prefix}:*:${id}-*-r1`);
    expect(new Set(names.map((name) => name.split(':')[1]))).toEqual(new Set(['llm', 'rag', 'vision']));
  }
  expect(await records.get(whole)).toMatchObject({ status: 'running', generation: 0 });
});

test('a request that is queued again and again without a result ends with a typed error', async () => {
  const { records, redis, prefix } = world;
  const id = await atVision(async (job) => await redis.del(...stageOrder.map(job)));
  for (let generation = 1; generation <= 3; generation += 1) {
    expect(await sweepIn(35_000 * generation)).toMatchObject({ requeued: 1 });
    const start = await records.start({ id, stage: 'vision', token: `${generation}`, generation });
    expect(start.outcome).toBe(generation < 3 ? 'started' : 'worn');
    const names = await redis.keys(`${prefix}:*:${id}-*`);
    await redis.del(...names);
  }
});

test('a job that was delayed by a wrong clock, or should have come long ago, is woken', async () => {
  const { prefix, redis } = world;
  const queue = new Queue('vision', { connection: redis, prefix });
  await queue.add('vision', {}, { jobId: 'far', delay: 3_600_000, priority: 1 });
  await queue.add('vision', {}, { jobId: 'soon', delay: 60_000, priority: 1 });
  expect(await sweepIn(0)).toMatchObject({ woken: 1 });
  expect(await queue.getJobState('far')).toBe('prioritized');
  expect(await sweepIn(100_000)).toEqual(nothing);
  expect(await sweepIn(121_000)).toMatchObject({ woken: 1 });
  await queue.close();
});

test('a batch request that has stood behind interactive ones for ten minutes passes those that come after', async () => {
  const { records, prefix, redis } = world;
  const deadlineAt = Date.now() + 3_600_000;
  const batch = sampleRequest({ priority: 'batch', deadlineAt });
  await records.accept(batch);
  await flows.add(batch);
  expect(await sweepIn(9 * 60_000)).toEqual(nothing);
  expect(await sweepIn(11 * 60_000)).toEqual({ ...nothing, raised: 1 });
  const later = sampleRequest({ deadlineAt });
  await flows.add({ ...later, turn: 1 });
  const queue = new Queue('preprocess', { connection: redis, prefix });
  expect((await queue.getPrioritized()).map(({ id }) => id)).toEqual(
    [batch, later].map(({ id }) => `${id}-preprocess`),
  );
  await queue.close();
});

test('a record that cannot be read keeps no other from being swept', async () => {
  const { records, redis } = world;
  const [broken, whole] = [sampleRequest(), sampleRequest()];
  for (const request of [broken, whole]) await records.accept(request);
  await redis.hset(records.keys.record(broken.id), 'request', '{}');
  expect(await sweepIn(60_000)).toMatchObject({ without_flow: 1 });
  expect(await sweepIn(121_000)).toMatchObject({ overdue: 2 });
});

test('a request that goes on while the sweep looks at it is not queued again', async () => {
  const { redis, prefix } = world;
  const id = await atVision(async (job) => await redis.hset(job('vision'), 'finishedOn', 1));
  const now = () => Date.now() + 40_000;
  const records = createRecordStore({ redis, prefix, now });
  // Between the look at the jobs and the second look at the record, the stage's result is written.
  const get = async (asked: string) => {
    const run = { id: asked, stage: 'vision', token: 'a' } as const;
    await records.start(run);
    await records.finish(run, { output: { n: 1 }, durationMs: 1, cached: false });
    return await records.get(asked);
  };
  const task = sweep({ records: { ...records, get }, flows, prefix, metrics: world.metrics, now });
  expect(await task(sampleRun())).toEqual(nothing);
  expect(await records.get(id)).toMatchObject({ generation: 0, stages: { llm: { lost: 0 } } });
});

/** A request that two look at, of which `done` has its answer, with its flow in BullMQ as given. */
async function halfLooked(
  done: 'vision' | 'vision.local',
  change: (job: (stage: StageName) => string) => Promise<unknown>,
) {
  const { records, prefix } = world;
  const request = sampleRequest({ models: ['gpt-5', 'local'] });
  await records.accept(request);
  await flows.add({ ...request, looks: ['vision', 'vision.local'] });
  for (const stage of ['preprocess', done] as const) {
    const run = { id: request.id, stage, token: 'a' };
    await records.start(run);
    await records.finish(run, { output: { n: 1 }, durationMs: 1, cached: false });
  }
  const job = (stage: StageName) => `${prefix}:${stage}:${stageJobId(request.id, stage)}`;
  await change(job);
  return request.id;
}

test('where no worker comes to look beside the API, the request goes on without, and whoever comes too late changes nothing', async () => {
  const { records, redis, prefix } = world;
  let key = '';
  const id = await halfLooked('vision', async (job) => await Promise.resolve((key = job('vision.local'))));
  expect(await sweepIn(20_000)).toEqual(nothing);
  expect(await sweepIn(35_000)).toEqual({ ...nothing, without_look: 1 });
  expect(await redis.exists(key)).toBe(0);
  // BullMQ hands rag on once nothing is left that it waits for.
  expect(await redis.smembers(`${prefix}:rag:${stageJobId(id, 'rag')}:dependencies`)).not.toContain(key);
  expect(await records.get(id)).toMatchObject({
    status: 'running',
    stages: { 'vision.local': { status: 'failed', failure: { code: 'stage_timeout' } } },
  });
  expect(await records.start({ id, stage: 'vision.local', token: 'b' })).toEqual({ outcome: 'done' });
});

test('a death between giving a look up and removing its job is made good by the next sweep', async () => {
  const { records, redis } = world;
  let key = '';
  const id = await halfLooked('vision', async (job) => await Promise.resolve((key = job('vision.local'))));
  await records.giveUp(
    { id, stage: 'vision.local' },
    { code: 'stage_timeout', message: 'late', stage: 'vision.local', retryable: true },
  );
  expect(await sweepIn(35_000)).toEqual({ ...nothing, without_look: 1 });
  expect(await redis.exists(key)).toBe(0);
});

test('a look that a worker holds is left to it', async () => {
  await halfLooked('vision', async (job) => await world.redis.set(`${job('vision.local')}:lock`, 'held'));
  expect(await sweepIn(35_000)).toEqual(nothing);
});

test('a look that comes while the sweep is at it counts, and its job is left to its worker', async () => {
  const { redis, prefix, metrics } = world;
  const id = await halfLooked('vision', async () => await Promise.resolve());
  const now = () => Date.now() + 35_000;
  const records = createRecordStore({ redis, prefix, now });
  const run = { id, stage: 'vision.local', token: 'b' } as const;
  const giveUp: typeof records.giveUp = async (...args) => {
    await records.start(run);
    await records.finish(run, { output: { n: 1 }, durationMs: 1, cached: false });
    return await records.giveUp(...args);
  };
  expect(await sweep({ records: { ...records, giveUp }, flows, prefix, metrics, now })(sampleRun())).toEqual(nothing);
});

test('the API may take its time, until the next sweep would be too late', async () => {
  const id = await halfLooked('vision.local', async () => await Promise.resolve());
  expect(await sweepIn(40_000)).toEqual(nothing);
  expect(await sweepIn(50_000)).toEqual({ ...nothing, without_look: 1 });
  expect(await world.records.get(id)).toMatchObject({ stages: { vision: { failure: { code: 'stage_timeout' } } } });
});

test('a look whose job vanished while rag waits for it is queued again, and only it', async () => {
  const { records, redis, prefix } = world;
  const id = await halfLooked('vision', async (job) => await redis.del(job('vision.local')));
  expect(await sweepIn(40_000)).toEqual({ ...nothing, requeued: 1 });
  const names = await redis.keys(`${prefix}:*:${id}-*-r1`);
  expect(new Set(names.map((name) => name.split(':')[1]))).toEqual(new Set(['llm', 'rag', 'vision.local']));
  expect(await records.get(id)).toMatchObject({ generation: 1, stages: { 'vision.local': { lost: 1 } } });
});

test('a request whose rag has been handed on without one look is not queued again for it', async () => {
  const id = await halfLooked('vision', async (job) => {
    await world.redis.del(job('vision.local'));
    await world.redis.zrem(`${world.prefix}:rag:waiting-children`, job('rag').split(':').at(-1) ?? '');
  });
  expect(await sweepIn(40_000)).toEqual(nothing);
  expect(await world.records.get(id)).toMatchObject({ generation: 0 });
});
