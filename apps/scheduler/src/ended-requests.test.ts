import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { failure, type Request } from '@bunri/queue-contracts';
import { createEndedRequests } from './ended-requests.ts';
import { openWorld, sampleRequest, type World } from './fixture.ts';

let world: World;
let clock: number;
let count: () => Promise<void>;
beforeEach(async () => {
  clock = Date.now();
  world = openWorld(process.env, () => clock);
  count = open();
  await count();
});
afterEach(async () => await world.close());

function open(mostLooked?: number) {
  const { redis, records, metrics } = world;
  const most = mostLooked === undefined ? {} : { mostLooked };
  return createEndedRequests({ redis, keys: records.keys, metrics, now: () => clock, ...most });
}

/** Every series of the histogram that has counted anything, and its sum in seconds. */
async function counted(): Promise<Record<string, number[]>> {
  const { values } = await world.metrics.requestSeconds.get();
  const of = (suffix: string) => values.filter(({ metricName }) => metricName?.endsWith(suffix));
  const sums = of('_sum');
  return Object.fromEntries(
    of('_count').flatMap(({ labels, value }, i) =>
      value > 0 ? [[`${labels.class} ${labels.outcome}`, [value, sums[i]?.value ?? 0]]] : [],
    ),
  );
}

async function failed(code: 'image_empty' | 'model_timeout', changes: Partial<Request> = {}): Promise<Request> {
  const request = sampleRequest({ createdAt: clock, ...changes });
  await world.records.accept(request);
  clock += 2_000;
  await world.records.fail(request.id, failure(code, 'x'));
  return request;
}

test('a request is counted once, by class and by whose fault its end was, with its whole time', async () => {
  await failed('image_empty');
  await failed('model_timeout', { priority: 'batch' });
  const canceled = sampleRequest({ createdAt: clock });
  await world.records.accept(canceled);
  await world.records.cancel(canceled.id);
  clock += 1;
  await Promise.all([count(), count()]);
  await count();
  expect(await counted()).toEqual({
    'interactive rejected': [1, 2],
    'batch failed': [1, 2],
    'interactive canceled': [1, 0],
  });
  const { values } = await world.metrics.requestsFailed.get();
  const seen = values.filter(({ value }) => value > 0);
  expect(seen.map(({ labels, value }) => [labels.code, value])).toEqual([
    ['image_empty', 1],
    ['model_timeout', 1],
  ]);
});

test('what was answered from the cache is told apart from what the models answered', async () => {
  const request = sampleRequest({ createdAt: clock - 500 });
  await world.records.accept(request, {
    answer: { outputs: { preprocess: {}, vision: {}, rag: {}, llm: {} } },
  });
  clock += 1;
  await count();
  expect(await counted()).toEqual({ 'interactive cached': [1, 0.5] });
});

test('what ended before the first look, and what an operator replays, is not counted', async () => {
  await failed('image_empty');
  clock += 1;
  const later = open();
  await later();
  expect(await counted()).toEqual({});
  const replay = { of: sampleRequest().id } as unknown as NonNullable<Request['replay']>;
  await failed('image_empty', { replay });
  clock += 1;
  await later();
  expect(await counted()).toEqual({});
});

test('requests that end in the millisecond of a look are counted by the next one, none twice', async () => {
  await failed('image_empty');
  await count();
  expect(await counted()).toEqual({});
  await failed('image_empty');
  clock += 1;
  await count();
  expect(await counted()).toMatchObject({ 'interactive rejected': [2, 4] });
});

test('more requests than one look counts are counted by the next ones, each once', async () => {
  const some = open(2);
  await some();
  for (let n = 0; n < 5; n += 1) await failed('image_empty');
  clock += 1;
  for (let n = 0; n < 6; n += 1) await some();
  expect(await counted()).toMatchObject({ 'interactive rejected': [5, 10] });
});

test('a millisecond with more ends than one look counts loses the rest of it, and nothing after it', async () => {
  const countTwo = open(2);
  await countTwo();
  const { redis, records } = world;
  const stamp = clock;
  for (const id of ['req_a', 'req_b', 'req_c', 'req_d']) await redis.zadd(records.keys.finished, stamp, id);
  await redis.zadd(records.keys.finished, stamp + 5, 'req_e');
  clock += 10;
  for (let look = 0; look < 3; look += 1) await countTwo();
  // They have no records: each that is seen counts as unreadable. Two of the four, and the later one.
  expect((await world.metrics.requestsUncounted.get()).values[0]?.value).toBe(3);
});

test('an ended request whose record cannot be read is counted as such', async () => {
  const { id } = await failed('image_empty');
  await world.redis.del(world.records.keys.record(id));
  clock += 1;
  await count();
  expect(await counted()).toEqual({});
  expect((await world.metrics.requestsUncounted.get()).values[0]?.value).toBe(1);
});

test('a look that Redis breaks off is made up for by the next one, and nothing is counted twice', async () => {
  const { redis, records, metrics } = world;
  let broken = true;
  const breaking = new Proxy(redis, {
    get: (target, name) => {
      if (name === 'pipeline' && broken) throw new Error('Redis is away');
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const look = createEndedRequests({ redis: breaking, keys: records.keys, metrics, now: () => clock });
  await look();
  await failed('image_empty');
  clock += 1;
  await expect(look()).rejects.toThrow('Redis is away');
  expect(await counted()).toEqual({});
  broken = false;
  await look();
  await look();
  expect(await counted()).toEqual({ 'interactive rejected': [1, 2] });
});
