import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { dailyDocumentSchema } from '@bunri/queue-contracts';
import { createRecordStore, dailyCsv, dailyKey, type Storage } from '@bunri/runtime';
import { openBucket, openWorld, sampleRequest, sampleRun, type World } from '../fixture.ts';
import { dailyStatistics } from './daily-statistics.ts';

/** Two in the morning of 22 November 2026 in Seoul, which is still the 21st in UTC. */
const tick = Date.UTC(2026, 10, 21, 17);
const hourMs = 3600 * 1000;

let world: World;
let storage: Storage;
beforeEach(async () => {
  world = openWorld(process.env);
  ({ storage } = await openBucket(process.env));
});
afterEach(async () => {
  storage.close();
  await world.close();
});

function task() {
  const { redis, prefix, records } = world;
  return dailyStatistics({ redis, prefix, storage, keys: records.keys });
}

/** A request that is accepted and canceled at that time. */
async function acceptAndCancel(at: number) {
  const records = createRecordStore({ redis: world.redis, prefix: world.prefix, now: () => at });
  const request = sampleRequest({ createdAt: at });
  await records.accept(request);
  await records.cancel(request.id);
}

async function stored(day: string) {
  const text = await world.redis.get(dailyKey(world.prefix, day));
  return text === null ? null : dailyDocumentSchema.parse(JSON.parse(text));
}

test('the day before, in Seoul, is written to Redis and to the bucket', async () => {
  // From the first to the last hour of the 21st in Seoul; then one hour before it, and one after.
  for (const hours of [-26, -3, -27, -1]) await acceptAndCancel(tick + hours * hourMs);
  await task()(sampleRun({ scheduledAt: tick }));
  const document = await stored('2026-11-21');
  expect(document?.requests).toMatchObject({ accepted: 2, canceled: 2, completed: 0 });
  const archived = await storage.getBytes('statistics/2026-11-21.json');
  expect(JSON.parse(Buffer.from(archived ?? []).toString())).toEqual(document);
  const csv = await storage.getBytes('statistics/2026-11-21.csv');
  expect(Buffer.from(csv ?? []).toString()).toBe(dailyCsv(document ? [document] : []));
});

test('running again changes nothing', async () => {
  await acceptAndCancel(tick - 12 * hourMs);
  const texts = [];
  for (const scheduledAt of [tick, tick]) {
    await task()(sampleRun({ scheduledAt }));
    texts.push(await world.redis.get(dailyKey(world.prefix, '2026-11-21')));
  }
  expect(texts[1]).toBe(texts[0]);
});

test('days on which no scheduler ran are written later, and days that are written stay', async () => {
  for (const days of [1, 3, 9]) await acceptAndCancel(tick - 12 * hourMs - days * 24 * hourMs);
  const kept = JSON.stringify({ kept: true });
  await world.redis.set(dailyKey(world.prefix, '2026-11-18'), kept);
  expect(await task()(sampleRun({ scheduledAt: tick }))).toEqual({ written: 2 });
  expect((await stored('2026-11-20'))?.requests.accepted).toBe(1);
  expect(await world.redis.get(dailyKey(world.prefix, '2026-11-18'))).toBe(kept);
  expect(await stored('2026-11-12')).toBeNull();
});

test('while the bucket is away nothing is written, so that the next attempt does it all', async () => {
  const { redis, prefix, records } = world;
  const away = { put: async () => await Promise.reject(new Error('away')) };
  const run = dailyStatistics({ redis, prefix, keys: records.keys, storage: away })(sampleRun({ scheduledAt: tick }));
  await expect(run).rejects.toThrow('away');
  expect(await stored('2026-11-21')).toBeNull();
});
