import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { failure } from '@bunri/queue-contracts';
import { archiveField, createArchiver } from '@bunri/runtime';
import { openWorld, sampleRequest, sampleRun, type World } from '../fixture.ts';
import { archiveFinished } from './archive-finished.ts';

const minuteMs = 60_000;

let world: World;
beforeEach(() => {
  world = openWorld(process.env);
});
afterEach(async () => await world.close());

function archive(afterMs: number, mostLooked = 100) {
  const { records, metrics } = world;
  const archiver = createArchiver(records);
  return archiveFinished({ archiver, metrics, mostLooked, now: () => Date.now() + afterMs });
}

async function canceled(): Promise<string> {
  const request = sampleRequest();
  await world.records.accept(request);
  await world.records.cancel(request.id);
  return request.id;
}

async function isArchived(id: string): Promise<boolean> {
  return (await world.redis.hexists(world.records.keys.record(id), archiveField)) === 1;
}

test('a request is archived a minute after its end, and not before', async () => {
  const id = await canceled();
  expect(await archive(minuteMs - 5_000)(sampleRun())).toMatchObject({ looked: 0, archived: 0 });
  expect(await isArchived(id)).toBe(false);
  expect(await archive(minuteMs + 5_000)(sampleRun())).toMatchObject({ looked: 1, archived: 1 });
  expect(await isArchived(id)).toBe(true);
  expect(await world.metrics.registry.getSingleMetricAsString('bunri_archived_requests_total')).toMatch(/ 1$/);
});

test('open requests and dead letters are left as they are', async () => {
  const [open, dead] = [sampleRequest(), sampleRequest()];
  for (const request of [open, dead]) await world.records.accept(request);
  await world.records.fail(dead.id, failure('model_unavailable', 'Away.'));
  expect(await archive(10 * minuteMs)(sampleRun())).toMatchObject({ archived: 0 });
  expect(await isArchived(dead.id)).toBe(false);
});

test('a run looks at so many and the next one goes on, until each has been archived once', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 7; n += 1) {
    ids.push(await canceled());
    // Each in a millisecond of its own, so that the runs can be counted.
    const ended = Date.now();
    while (Date.now() === ended) await world.redis.ping();
  }
  const task = archive(2 * minuteMs, 3);
  const runs = [];
  for (let n = 0; n < 4; n += 1) runs.push(await task(sampleRun()));
  // From the second run on the last one of the run before is looked at again.
  expect(runs.map(({ archived }) => archived)).toEqual([3, 2, 2, 0]);
  expect(await Promise.all(ids.map(isArchived))).toEqual(ids.map(() => true));
});

test('what a run that was cut off has not archived is archived by the next', async () => {
  const ids = await Promise.all(Array.from({ length: 60 }, canceled));
  const cut = new AbortController();
  const { records, metrics } = world;
  const archiver = createArchiver(records);
  const dying = archiveFinished({
    archiver: {
      ...archiver,
      archive: async (some) => {
        cut.abort(new Error('the scheduler stops'));
        return await archiver.archive(some);
      },
    },
    metrics,
    now: () => Date.now() + 2 * minuteMs,
  });
  await expect(dying(sampleRun({ signal: cut.signal }))).rejects.toThrow('the scheduler stops');
  expect(await archive(2 * minuteMs)(sampleRun())).toMatchObject({ unreadable: 0 });
  expect(await Promise.all(ids.map(isArchived))).toEqual(ids.map(() => true));
});
