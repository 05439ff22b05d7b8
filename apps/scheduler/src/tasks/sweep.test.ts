import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { finalStage, stageJobId, stageOrder } from '@bunri/queue-contracts';
import { createFlowQueue, type FlowQueue } from '@bunri/runtime';
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
  const { records, prefix, metrics } = world;
  return await sweep({ records, flows, prefix, metrics, now: () => Date.now() + ms })(sampleRun());
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

const nothing = { overdue: 0, without_flow: 0, stranded: 0, without_record: 0 };

test('a request past its deadline fails with a typed error, once', async () => {
  const { records, metrics } = world;
  const request = sampleRequest();
  await records.accept(request);
  await flows.add(request);

  expect(await sweepIn(119_000)).toEqual(nothing);
  expect(await sweepIn(121_000)).toEqual({ ...nothing, overdue: 1 });
  expect(await sweepIn(121_000)).toEqual(nothing);
  expect(await records.get(request.id)).toMatchObject({ status: 'failed', error: { code: 'deadline_exceeded' } });
  const events = await records.events(request.id, 0);
  expect(events.map(({ type }) => type)).toEqual(['accepted', 'failed']);
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

test('a started request whose flow has ended or is gone is failed at once, one whose flow goes on is not', async () => {
  const { records, redis, prefix } = world;
  const [ended, gone, going] = [sampleRequest(), sampleRequest(), sampleRequest()];
  for (const request of [ended, gone, going]) {
    await records.accept(request);
    await flows.add(request);
    await records.start({ id: request.id, stage: 'preprocess', token: 'a' });
  }
  const root = (id: string) => `${prefix}:${finalStage}:${stageJobId(id, finalStage)}`;
  await redis.hset(root(ended.id), 'finishedOn', Date.now());
  await redis.del(root(gone.id));

  expect(await sweepIn(0)).toEqual({ ...nothing, stranded: 2 });
  expect(await sweepIn(0)).toEqual(nothing);
  const statuses = await Promise.all([ended, gone, going].map(async ({ id }) => (await records.get(id))?.status));
  expect(statuses).toEqual(['failed', 'failed', 'running']);
});

test('a record that cannot be read keeps no other from being swept', async () => {
  const { records, redis } = world;
  const [broken, whole] = [sampleRequest(), sampleRequest()];
  for (const request of [broken, whole]) await records.accept(request);
  await redis.hset(records.keys.record(broken.id), 'request', '{}');
  expect(await sweepIn(60_000)).toMatchObject({ without_flow: 1 });
  expect(await sweepIn(121_000)).toMatchObject({ overdue: 2 });
});
