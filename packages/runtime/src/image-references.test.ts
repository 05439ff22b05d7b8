import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { failure, type Request } from '@bunri/queue-contracts';
import * as z from 'zod';
import { until } from '@bunri/testkit/until';
import { createResultCache } from './cache.ts';
import { createImageReferences, referenceMarginMs, type ImageReferences } from './image-references.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { connectProducer } from './redis.ts';
import { newRequestId } from './enqueue.ts';
import { createRecordStore, type RecordStore } from './records.ts';
import { sha256 } from './sha256.ts';
import { runStage } from './stage-run.ts';

const retentionMs = 3_600_000;
const by = 'a deletion';
const prefix = `{t${randomUUID()}}`;
const log = createLogger({ app: 'test', level: 'error', silent: true });
const redis = connectProducer({ url: process.env['REDIS_URL'] ?? '', name: 'test', log });
let clock = Date.parse('2026-03-01T12:00:00Z');
let records: RecordStore;
let references: ImageReferences;
beforeAll(async () => {
  await until(() => redis.status === 'ready');
  records = createRecordStore({ redis, prefix, retentionMs, now: () => clock });
  references = createImageReferences({ redis, keys: records.keys, now: () => clock });
});
afterAll(async () => {
  await redis.unlink(...(await redis.keys(`${prefix}*`)));
  redis.disconnect();
});

let pictures = 0;
function newPicture(): string {
  pictures += 1;
  return sha256(`picture ${pictures}`);
}

async function accept(): Promise<Request> {
  const id = newRequestId();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: sha256(id), sizeBytes: 1 } as const;
  const request = { id, owner: 'ann', question: '?', locale: 'ko', source, priority: 'interactive' } as const;
  const whole = { ...request, createdAt: clock, deadlineAt: clock + 120_000 };
  await records.accept(whole);
  return whole;
}

const output = (hash: string) => ({ sha256: hash, key: `images/${hash}.jpg`, width: 1, height: 1, sizeBytes: 1 });
const runOf = (id: string) => ({ id, stage: 'preprocess', token: `run-${id}` }) as const;

/** A request whose photo is prepared. */
async function prepared(hash: string): Promise<Request> {
  const request = await accept();
  await records.start(runOf(request.id));
  expect(await store(request.id, hash)).toBe('finished');
  return request;
}

/** As a run does that was told to store its picture again. */
async function runAgain(id: string): Promise<void> {
  await records.release(runOf(id), 'storage_unavailable');
  await records.start(runOf(id));
}

async function store(id: string, hash: string): Promise<string> {
  return (await records.finish(runOf(id), { output: output(hash), durationMs: 1, cached: false })).outcome;
}

async function remove(request: Request, hash: string): Promise<string> {
  await records.cancel(request.id);
  await references.mark(request.id);
  const { outcome } = await references.condemn(request.id, hash, by);
  if (outcome !== 'free') await references.erase(request, { by, removed: [], kept: [hash] });
  return outcome;
}

test('a picture that one request refers to is free to go with it, and one of two with the second', async () => {
  const hash = newPicture();
  const [first, second] = [await prepared(hash), await prepared(hash)];
  expect(await remove(first, hash)).toBe('shared');
  expect(await remove(second, hash)).toBe('free');
});

test('a death in the middle leaves a request that is deleted again, with the same outcome', async () => {
  const hash = newPicture();
  const request = await prepared(hash);
  expect(await remove(request, hash)).toBe('free');
  expect(await references.mark(request.id)).toBe('marked');
  expect(await references.condemn(request.id, hash, by)).toMatchObject({ outcome: 'free' });
  expect(await references.erase(request, { by, removed: [hash], kept: [] })).toMatchObject({ outcome: 'erased' });
  expect(await references.erase(request, { by, removed: [hash], kept: [] })).toEqual({ outcome: 'gone' });
  expect(await records.get(request.id)).toBeNull();
  expect(await records.listIds('ann', clock + 1, 1000)).not.toContain(request.id);
});

test('whoever stored the picture before its removal, and finishes after, is told to store it again', async () => {
  const hash = newPicture();
  const [first, second] = [await prepared(hash), await accept()];
  await records.start(runOf(second.id));
  expect(await remove(first, hash)).toBe('free');
  expect(await store(second.id, hash)).toBe('unstored');
  clock += 1;
  await references.erase(first, { by, removed: [hash], kept: [] });
  expect(await store(second.id, hash)).toBe('unstored');
  clock += 1;
  await runAgain(second.id);
  expect(await store(second.id, hash)).toBe('finished');
  expect(await remove(second, hash)).toBe('free');
});

test('of two deletions of one request the first to end does not let the picture be stored before the other has ended', async () => {
  const hash = newPicture();
  const [first, second] = [await prepared(hash), await accept()];
  expect(await remove(first, hash)).toBe('free');
  expect(await references.condemn(first.id, hash, 'another')).toMatchObject({ outcome: 'free' });
  expect(await references.erase(first, { by, removed: [hash], kept: [] })).toMatchObject({ outcome: 'erased' });
  clock += 1;
  await records.start(runOf(second.id));
  expect(await store(second.id, hash)).toBe('unstored');
  expect(await references.erase(first, { by: 'another', removed: [hash], kept: [] })).toEqual({ outcome: 'gone' });
  clock += 1;
  await runAgain(second.id);
  expect(await store(second.id, hash)).toBe('finished');
});

test('nobody goes on from a request that is being deleted, or is gone', async () => {
  const hash = newPicture();
  const original = await prepared(hash);
  await records.cancel(original.id);
  const goOn = async (how: Partial<Request>) => {
    const request = { ...original, id: newRequestId(), ...how };
    return (await records.accept(request, { outputs: { preprocess: output(hash) } })).outcome;
  };
  const ways = [{ replay: { of: original.id } }, { clarifies: { of: original.id, text: '병' } }];
  for (const how of ways) expect(await goOn(how)).toBe('accepted');
  await references.mark(original.id);
  for (const how of ways) expect(await goOn(how)).toBe('unstored');
  await references.erase(original, { by, removed: [], kept: [hash] });
  for (const how of ways) expect(await goOn(how)).toBe('unstored');
});

test('no picture goes while requests may live that an earlier release accepted', async () => {
  const lifeMs = 1_000_000;
  const own = createRecordStore({ redis, prefix: `${prefix}:old`, retentionMs, now: () => clock });
  // What an earlier release leaves of its first request.
  await redis.set(own.keys.epoch, clock);
  const later = createImageReferences({ redis, keys: own.keys, lifeMs, now: () => clock });
  const [id, hash] = [newRequestId(), newPicture()];
  await own.accept({ ...(await accept()), id });
  await later.refer(id, 10 * lifeMs, [hash]);
  expect(await later.condemn(id, hash, by)).toEqual({ outcome: 'unknown' });
  clock += lifeMs - 1;
  expect(await later.condemn(id, hash, by)).toEqual({ outcome: 'unknown' });
  clock += 1;
  expect(await later.condemn(id, hash, by)).toMatchObject({ outcome: 'free' });
});

test('the last step frees the idempotency key, unless it has made another request since', async () => {
  const claim = sha256('a key');
  const [first, second] = [await accept(), await accept()];
  const name = records.keys.claim('ann', claim);
  for (const { id } of [first, second]) await records.cancel(id);
  await redis.hset(name, 'id', second.id);
  const nothing = { by, removed: [], kept: [] };
  expect(await references.erase({ ...first, claim }, nothing)).toMatchObject({ outcome: 'erased', claim: false });
  expect(await redis.exists(name)).toBe(1);
  expect(await references.erase({ ...second, claim }, nothing)).toMatchObject({ outcome: 'erased', claim: true });
  expect(await redis.exists(name)).toBe(0);
});

test('whoever finishes before the removal begins keeps the picture', async () => {
  const hash = newPicture();
  const [first, second] = [await prepared(hash), await accept()];
  await records.start(runOf(second.id));
  expect(await store(second.id, hash)).toBe('finished');
  expect(await remove(first, hash)).toBe('shared');
});

test('a known answer is not given whose picture is being removed, and one that is given keeps it', async () => {
  const hash = newPicture();
  const first = await prepared(hash);
  const answer = { outputs: { preprocess: output(hash), vision: {}, rag: {}, llm: {} } };
  const id = newRequestId();
  await records.cancel(first.id);
  const request = { ...first, id, createdAt: clock, deadlineAt: clock + 1000 };
  expect(await records.accept(request, { answer })).toMatchObject({ outcome: 'accepted' });
  expect(await references.condemn(first.id, hash, by)).toEqual({ outcome: 'shared' });
  await references.erase({ id, owner: 'ann' }, { by, removed: [], kept: [hash] });
  expect(await references.condemn(first.id, hash, by)).toMatchObject({ outcome: 'free' });
  expect(await records.accept(request, { answer })).toMatchObject({ outcome: 'unstored' });
  expect(await records.get(id)).toBeNull();
});

test('what nothing is known of stays, and so does what a request without a record named a moment ago', async () => {
  const hash = newPicture();
  const request = await prepared(hash);
  await references.refer(newRequestId(), retentionMs, [hash]);
  expect(await references.condemn(request.id, hash, by)).toEqual({ outcome: 'shared' });
  clock += 600_001;
  expect(await references.condemn(request.id, hash, by)).toMatchObject({ outcome: 'free' });
  expect(await references.condemn(newRequestId(), hash, by)).toEqual({ outcome: 'unknown' });
});

test('beyond a hundred requests none is told apart any more, and the picture stays', async () => {
  const hash = newPicture();
  const request = await prepared(hash);
  for (let n = 0; n < 120; n += 1) await references.refer(newRequestId(), retentionMs, [hash]);
  expect(await redis.zcard(records.keys.image(hash))).toBe(101);
  clock += 600_001;
  expect(await references.condemn(request.id, hash, by)).toEqual({ outcome: 'shared' });
});

describe('a reference lasts as long as its record', () => {
  const left = async (hash: string) => await redis.pttl(records.keys.image(hash));

  test('that is open, or has ended', async () => {
    const hash = newPicture();
    await prepared(hash);
    const expected = 120_000 + retentionMs + referenceMarginMs;
    expect(await left(hash)).toBeGreaterThan(expected - 60_000);
    expect(await left(hash)).toBeLessThanOrEqual(expected);
  });

  test('that is a dead letter, or was retried', async () => {
    const hash = newPicture();
    const { id } = await prepared(hash);
    await records.fail(id, failure('model_unavailable', 'Away.'));
    const week = 7 * 24 * 3600 * 1000;
    expect(await left(hash)).toBeGreaterThan(week);
    await redis.pexpire(records.keys.image(hash), 1000);
    const record = await records.get(id);
    if (record) await records.reopen(record, { from: 'failed', deadlineAt: clock + week });
    expect(await left(hash)).toBeGreaterThan(week + retentionMs);
  });
});

test('a request that is being deleted cannot be opened again', async () => {
  const { id } = await prepared(newPicture());
  await records.fail(id, failure('model_unavailable', 'Away.'));
  const record = await records.get(id);
  expect(await references.mark(id)).toBe('marked');
  if (!record) throw new Error('no record');
  expect(await records.reopen(record, { from: 'failed' })).toMatchObject({ outcome: 'closed' });
});

test('an open request is not marked, and one that is gone leaves nothing behind', async () => {
  const { id } = await accept();
  expect(await references.mark(id)).toBe('open');
  expect(await references.mark(newRequestId())).toBe('gone');
});

test('what was made of a picture is told by the names that it has in the cache', async () => {
  const cache = createResultCache({ redis, prefix });
  const [hash, key] = [newPicture(), sha256('key')];
  const request = await prepared(hash);
  await cache.set('vision', key, 'seen', { image: hash });
  await cache.set('image', `2:${key}`, 'picture', { image: hash });
  const condemned = await references.condemn(request.id, hash, by);
  expect(condemned).toEqual({ outcome: 'free', results: expect.arrayContaining([`vision:${key}`, `image:2:${key}`]) });
  if (condemned.outcome === 'free') await references.removeResults(hash, condemned.results);
  expect(await cache.get('vision', key, z.string())).toBeNull();
  expect(await cache.get('image', `2:${key}`, z.string())).toBeNull();
});

test('what a picture’s results may not be reused for any more is forgotten, and no request is with them', async () => {
  const cacheMs = 1_000_000;
  const cache = createResultCache({ redis, prefix, retentionMs: cacheMs, now: () => clock });
  const hash = newPicture();
  const request = await prepared(hash);
  await cache.set('vision', sha256('old'), 'seen', { image: hash });
  clock += cacheMs + 1;
  await cache.set('vision', sha256('new'), 'seen', { image: hash });
  expect(await references.condemn(request.id, hash, by)).toEqual({
    outcome: 'free',
    results: [`vision:${sha256('new')}`],
  });
});

test('a run whose picture went while it worked is put off without an attempt, and the next one stores it again', async () => {
  const hash = newPicture();
  const [first, second] = [await prepared(hash), await accept()];
  let stored = 0;
  const handler = async () => {
    stored += 1;
    // Somebody deletes the only request that refers to the picture by now.
    if (stored === 1) await remove(first, hash);
    return { output: output(hash), cached: false };
  };
  const metrics = createMetrics({ app: 'test', processMetrics: false });
  const suspects = { held: false };
  const runner = { stage: 'preprocess', handler, records, log, suspects, metrics, now: () => clock } as const;
  const job = { jobId: 'job', data: { v: 1, requestId: second.id, deadlineAt: second.deadlineAt } };
  const track = () => ({ controller: new AbortController(), untrack: () => undefined });
  const run = async (token: string) =>
    await runStage(runner, { ...job, attemptsMade: 0, attempts: 1, token }, { track, heardOf: () => false });
  expect(await run('process:1')).toMatchObject({ end: 'waiting' });
  expect((await records.get(second.id))?.stages.preprocess).toMatchObject({ status: 'pending', output: null });
  clock += 1;
  await references.erase(first, { by, removed: [hash], kept: [] });
  clock += 1;
  expect(await run('process:2')).toEqual({ end: 'completed' });
  expect(stored).toBe(2);
});
