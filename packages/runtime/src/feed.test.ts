import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { finalStage, type RequestEvent } from '@bunri/queue-contracts';
import { newRequestId } from './enqueue.ts';
import { createEventFeed, type EventFeed } from './feed.ts';
import { createEventReads, type EventPage, type ReadEvents } from './feed-reads.ts';
import { createLogger } from './log.ts';
import { createRecordStore, type RecordStore } from './records.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const prefix = `{t${randomUUID()}}`;
let redis: Redis;
let subscriber: Redis;
let records: RecordStore;
let feed: EventFeed;

beforeAll(() => {
  redis = new Redis(process.env['REDIS_URL'] ?? '');
  subscriber = redis.duplicate();
  records = createRecordStore({ redis, prefix });
  feed = createEventFeed({ records, subscriber, log });
});
afterAll(async () => {
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.unlink(...keys);
  await redis.quit();
  subscriber.disconnect();
});

async function accepted(): Promise<string> {
  const id = newRequestId();
  await records.accept({
    id,
    owner: 'ann',
    question: '',
    locale: 'en',
    source: { kind: 'url', url: 'https://example.org/a.jpg' },
    priority: 'interactive',
    createdAt: Date.now(),
    deadlineAt: Date.now() + 600_000,
  });
  return id;
}

/** Writes `pieces` answer deltas and then the end, as fast as Redis takes them. */
async function play(id: string, pieces: number): Promise<void> {
  const run = { id, stage: finalStage, token: 'a' };
  await records.start(run);
  for (let n = 0; n < pieces; n += 1) await records.delta(run, n, 'x');
  await records.finish(run, { output: {}, durationMs: 1, cached: false });
}

test('a listener that comes at any moment and leaves at any moment sees every event once and in order', async () => {
  const id = await accepted();
  const pieces = 300;
  const seen: RequestEvent[] = [];
  const playing = play(id, pieces);
  while (seen.at(-1)?.type !== 'completed') {
    const leave = new AbortController();
    let here = 0;
    await feed.follow(
      id,
      seen.at(-1)?.seq ?? 0,
      (event) => {
        seen.push(event);
        here += 1;
        if (here === 15) leave.abort();
      },
      leave.signal,
    );
  }
  await playing;
  expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: pieces + 4 }, (_, i) => i + 1));
  expect(feed.channelCount).toBe(0);
});

test('many listeners of one request share one subscription', async () => {
  const id = await accepted();
  const counts = Array.from({ length: 50 }, () => 0);
  const following = counts.map(
    async (_, i) => await feed.follow(id, 0, () => (counts[i] = (counts[i] ?? 0) + 1), new AbortController().signal),
  );
  expect(feed.channelCount).toBe(1);
  await play(id, 20);
  await Promise.all(following);
  expect(counts).toEqual(counts.map(() => 24));
});

test('following a request that has ended tells its events and returns', async () => {
  const id = await accepted();
  await records.cancel(id);
  const seen: string[] = [];
  await feed.follow(id, 0, ({ type }) => seen.push(type), new AbortController().signal);
  expect(seen).toEqual(['accepted', 'canceled']);
});

test('events written while the subscriber was cut off are read from the stream when it is back', async () => {
  const id = await accepted();
  const seen: number[] = [];
  const following = feed.follow(id, 0, ({ seq }) => seen.push(seq), new AbortController().signal);
  const run = { id, stage: finalStage, token: 'a' };
  await records.start(run);
  const back = new Promise((resolve) => subscriber.once('ready', resolve));
  subscriber.disconnect(true);
  await records.delta(run, 0, 'lost on the channel');
  await back;
  await records.finish(run, { output: {}, durationMs: 1, cached: false });
  await following;
  expect(seen).toEqual([1, 2, 3, 4, 5]);
});

test('a stream that cannot be read after a reconnect is read again until it can', async () => {
  const id = await accepted();
  let failures = 0;
  const readEvents = createEventReads(records);
  const shaky: ReadEvents = async (request, after) => {
    if (after > 0 && failures < 2) {
      failures += 1;
      throw new Error('not back yet');
    }
    return await readEvents(request, after);
  };
  const ownSubscriber = redis.duplicate();
  const seen: number[] = [];
  const following = createEventFeed({ records, subscriber: ownSubscriber, log, readEvents: shaky }).follow(
    id,
    0,
    ({ seq }) => seen.push(seq),
    new AbortController().signal,
  );
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const again = new Promise((resolve) => ownSubscriber.once('ready', resolve));
  ownSubscriber.disconnect(true);
  await records.cancel(id);
  await again;
  await following;
  expect(seen).toEqual([1, 2]);
  // What it sends again after a reconnect is answered before.
  await ownSubscriber.quit();
});

test('a listener may leave while Redis is away', async () => {
  const away = new Redis('redis://127.0.0.1:9', { maxRetriesPerRequest: null, retryStrategy: () => 10_000 });
  away.on('error', () => undefined);
  const leave = new AbortController();
  const following = createEventFeed({ records, subscriber: away, log }).follow(
    'req_x',
    0,
    () => undefined,
    leave.signal,
  );
  leave.abort();
  await following;
  expect(leave.signal.aborted).toBe(true);
  away.disconnect();
});

test('an event that this version does not know is passed on, and one that cannot be read harms nobody', async () => {
  const id = await accepted();
  const seen: string[] = [];
  const following = feed.follow(id, 0, ({ type }) => seen.push(type), new AbortController().signal);
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await redis.publish(records.keys.events(id), 'no event at all');
  await redis.xadd(records.keys.events(id), '2-0', 'type', 'of.tomorrow', 'at', '1', 'data', '{}');
  await redis.hset(records.keys.record(id), 'seq', 2);
  await records.cancel(id);
  await following;
  expect(seen).toEqual(['accepted', 'of.tomorrow', 'canceled']);
});

test('a failure that was retried is an event like others; the last one ends', async () => {
  const id = await accepted();
  const stream = records.keys.events(id);
  const write = async (seq: number, type: string) => {
    await redis.xadd(stream, `${seq}-0`, 'type', type, 'at', '1', 'data', '{}');
    await redis.hset(records.keys.record(id), 'seq', seq);
  };
  await write(2, 'failed');
  await write(3, 'retried');
  const seen: string[] = [];
  const following = feed.follow(id, 0, ({ type }) => seen.push(type), new AbortController().signal);
  while (seen.length < 3) await new Promise((resolve) => setImmediate(resolve));
  await records.cancel(id);
  expect(await following).toBe('ended');
  expect(seen).toEqual(['accepted', 'failed', 'retried', 'canceled']);
});

test('a request that is lost with its store while it is followed is gone, and not waited for', async () => {
  const id = await accepted();
  const ownSubscriber = redis.duplicate();
  const seen: string[] = [];
  const following = createEventFeed({ records, subscriber: ownSubscriber, log }).follow(
    id,
    0,
    ({ type }) => seen.push(type),
    new AbortController().signal,
  );
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await redis.unlink(records.keys.record(id), records.keys.events(id));
  const again = new Promise((resolve) => ownSubscriber.once('ready', resolve));
  ownSubscriber.disconnect(true);
  expect(await following).toBe('gone');
  // It may be gone before the connection is back. What is sent again then is answered before the connection ends.
  await again;
  await ownSubscriber.quit();
  expect(await feed.follow(id, 0, () => undefined, new AbortController().signal)).toBe('gone');
  expect(feed.channelCount).toBe(0);
});

test('listeners who come in the same moment share a subscription command and round trips', async () => {
  const ids = await Promise.all(Array.from({ length: 30 }, accepted));
  const own = { redis: redis.duplicate(), subscriber: redis.duplicate() };
  const ownFeed = createEventFeed({
    records: createRecordStore({ redis: own.redis, prefix }),
    subscriber: own.subscriber,
    log,
  });
  await Promise.all([own.redis.ping(), own.subscriber.ping()]);
  let writes = 0;
  for (const { stream } of [own.redis, own.subscriber]) stream.on('data', () => (writes += 1));
  const seen: string[] = [];
  const following = ids.map((id) => ownFeed.open(id, 0, () => seen.push(id)));
  while (seen.length < ids.length) await new Promise((resolve) => setImmediate(resolve));
  expect(seen.toSorted()).toEqual(ids.toSorted());
  expect(writes).toBeLessThan(10);
  for (const { leave } of following) leave();
  expect(await Promise.all(following.map(async ({ end }) => await end))).toEqual(ids.map(() => 'left'));
  own.redis.disconnect();
  own.subscriber.disconnect();
});

test('a listener that comes when the last one leaves takes over its subscription and misses nothing', async () => {
  const id = await accepted();
  const first = feed.open(id, 0, () => undefined);
  first.leave();
  const seen: number[] = [];
  const second = feed.open(id, 0, ({ seq }) => seen.push(seq));
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  second.leave();
  const third = feed.open(id, 1, ({ seq }) => seen.push(seq));
  await play(id, 3);
  expect(await third.end).toBe('ended');
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('a paused listener is told nothing, holds nothing, and after that misses nothing', async () => {
  const id = await accepted();
  const seen: number[] = [];
  const following = feed.open(id, 0, ({ seq }) => {
    seen.push(seq);
    if (seq % 2 === 1) following.pause();
  });
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await play(id, 4);
  expect(seen).toEqual([1]);
  following.resume();
  expect(await following.end).toBe('ended');
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a long stream is read page by page, and a listener that pauses gets no page beyond', async () => {
  const id = await accepted();
  await play(id, 20);
  const readEvents = createEventReads(records, { pageSize: 4 });
  const seen: number[] = [];
  const following = createEventFeed({ records, subscriber, log, readEvents }).open(id, 0, ({ seq }) => {
    seen.push(seq);
    if (seq === 6) following.pause();
  });
  while (seen.length < 8) await new Promise((resolve) => setImmediate(resolve));
  await redis.ping();
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  following.resume();
  expect(await following.end).toBe('ended');
  expect(seen).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
});

test('who reads the same at the same time gets the same events, and one request that cannot be read harms no other', async () => {
  const [well, ill] = await Promise.all([accepted(), accepted()]);
  await redis.unlink(records.keys.events(ill));
  await redis.set(records.keys.events(ill), 'no stream');
  const readEvents = createEventReads(records);
  const [one, same, other] = await Promise.allSettled([readEvents(well, 0), readEvents(well, 0), readEvents(ill, 0)]);
  expect(one).toMatchObject({ value: { state: 'open', more: false, events: [{ seq: 1, type: 'accepted' }] } });
  expect(same.status === 'fulfilled' && one.status === 'fulfilled' && same.value.events === one.value.events).toBe(
    true,
  );
  expect(other.status).toBe('rejected');
  await redis.unlink(records.keys.events(ill));
});

test('a request that ended and was opened again while its stream was read is followed on', async () => {
  const id = await accepted();
  const [accept, failed, retried] = (['accepted', 'failed', 'retried'] as const).map((type, i) => ({
    seq: i + 1,
    type,
    at: 1,
    data: {},
  })) as [RequestEvent, RequestEvent, RequestEvent];
  const pages: EventPage[] = [
    { state: 'ended', more: false, events: [accept, failed, retried] },
    { state: 'open', more: false, events: [] },
  ];
  const readEvents: ReadEvents = async () =>
    await Promise.resolve(pages.shift() ?? Promise.reject(new Error('no page')));
  const seen: string[] = [];
  const following = createEventFeed({ records, subscriber, log, readEvents }).open(id, 0, ({ type }) =>
    seen.push(type),
  );
  while (pages.length > 0) await new Promise((resolve) => setImmediate(resolve));
  await redis.publish(records.keys.events(id), '4 canceled 1 {}');
  expect(await following.end).toBe('ended');
  expect(seen).toEqual(['accepted', 'failed', 'retried', 'canceled']);
});
