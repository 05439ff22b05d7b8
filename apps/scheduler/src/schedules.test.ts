import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { openWorld, type World } from './fixture.ts';
import { reconcileSchedules, schedules } from './schedules.ts';

let world: World;
let queue: Queue;
beforeEach(() => {
  world = openWorld(process.env);
  queue = new Queue('maintenance', { connection: world.redis, prefix: world.prefix });
});
afterEach(async () => {
  await queue.close();
  await world.close();
});

const daily = { pattern: '0 3 * * *', timeoutMs: 1_000 };
const hourly = { pattern: '0 * * * *', timeoutMs: 1_000 };
const clockInSeoul = new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Seoul', timeStyle: 'short' });

test('every schedule of the catalogue is written, and due at its time in Seoul', async () => {
  const { written } = await reconcileSchedules(queue, schedules.maintenance);
  expect(written).toEqual(['delete_old_images', 'clean_caches', 'daily_statistics', 'cleanup_models']);
  const due = new Map((await queue.getJobSchedulers()).map(({ key, next }) => [key, clockInSeoul.format(next)]));
  expect(due.get('delete_old_images')).toBe('03:00');
  expect(due.get('daily_statistics')).toBe('02:00');
  expect(due.get('clean_caches')).toMatch(/:00$/);
});

test('what the catalogue does not name any more is removed', async () => {
  await reconcileSchedules(queue, { old: daily, kept: hourly });
  expect(await reconcileSchedules(queue, { kept: hourly })).toEqual({ written: [], removed: ['old'] });
  expect((await queue.getJobSchedulers()).map(({ key }) => key)).toEqual(['kept']);
  expect(await queue.getJobCounts('delayed')).toEqual({ delayed: 1 });
});

test('a schedule that is as it should be is left alone, with the run that is due', async () => {
  await reconcileSchedules(queue, { task: daily });
  const [before] = await queue.getDelayed();
  // What a scheduler finds that was not there at three o'clock: the run is due and nobody took it.
  await before?.promote();
  expect(await reconcileSchedules(queue, { task: daily })).toEqual({ written: [], removed: [] });
  expect((await queue.getWaiting()).map(({ id }) => id)).toEqual([before?.id]);
});

test('a changed time is written', async () => {
  await reconcileSchedules(queue, { task: daily });
  expect(await reconcileSchedules(queue, { task: hourly })).toEqual({ written: ['task'], removed: [] });
  expect((await queue.getJobSchedulers()).map(({ pattern }) => pattern)).toEqual([hourly.pattern]);
  expect(await queue.getJobCounts('delayed')).toEqual({ delayed: 1 });
});

test('a schedule that lost its next run gets one again', async () => {
  await reconcileSchedules(queue, { task: daily });
  const [next] = await queue.getDelayed();
  await world.redis.del(queue.toKey(next?.id ?? ''));
  await world.redis.zrem(queue.toKey('delayed'), next?.id ?? '');
  expect(await reconcileSchedules(queue, { task: daily })).toEqual({ written: ['task'], removed: [] });
  expect(await queue.getJobCounts('delayed')).toEqual({ delayed: 1 });
});
