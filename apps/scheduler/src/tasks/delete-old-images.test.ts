import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Storage, StoredObject } from '@bunri/runtime';
import { openBucket, openWorld, sampleRun, type World } from '../fixture.ts';
import { deleteOldImages } from './delete-old-images.ts';

const dayMs = 24 * 3600 * 1000;
const retentionMs = 30 * dayMs;

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

const deps = () => ({ metrics: world.metrics, retentionMs, feedbackRetentionMs: 10 * retentionMs });

async function keysOf(prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of storage.list(prefix)) keys.push(...page.map(({ key }) => key));
  return keys;
}

test('uploads and images past the retention are deleted, and nothing else is', async () => {
  for (const key of ['uploads/a', 'images/b.jpg', 'statistics/2026-11-21.json']) {
    await storage.put(key, Buffer.from('x'), 'text/plain');
  }
  const at = (ms: number) => deleteOldImages({ ...deps(), storage, now: () => Date.now() + ms });

  expect(await at(retentionMs - 60_000)(sampleRun())).toEqual({ seen: 2, deleted: 0 });
  expect(await at(retentionMs + 60_000)(sampleRun())).toEqual({ seen: 2, deleted: 2 });
  expect([...(await keysOf('uploads/')), ...(await keysOf('images/'))]).toEqual([]);
  expect(await keysOf('statistics/')).toHaveLength(1);
  expect(await world.metrics.registry.getSingleMetricAsString('bunri_deleted_objects_total')).toContain('kind="image"');
});

test('feedback has a retention of its own', async () => {
  await storage.put('feedback/2026-11-21/a.json', Buffer.from('{}'), 'application/json');
  const at = (ms: number) => deleteOldImages({ ...deps(), storage, now: () => Date.now() + ms });
  expect(await at(2 * retentionMs)(sampleRun())).toEqual({ seen: 1, deleted: 0 });
  expect(await at(10 * retentionMs + 60_000)(sampleRun())).toEqual({ seen: 1, deleted: 1 });
});

/** Two pages of the given ages, the second of which takes its time. */
function pagesOf(...ages: number[][]): { removed: string[][]; storage: Pick<Storage, 'list' | 'remove'> } {
  const removed: string[][] = [];
  return {
    removed,
    storage: {
      async *list(prefix): AsyncGenerator<StoredObject[]> {
        for (const [page, days] of prefix === 'images/' ? ages.entries() : []) {
          yield days.map((age) => ({ key: `${page}-${age}`, sizeBytes: 1, lastModifiedMs: -age * dayMs }));
        }
      },
      remove: async (keys) => {
        removed.push([...keys]);
        await Promise.resolve();
      },
    },
  };
}

test('every page is one deletion', async () => {
  const { storage, removed } = pagesOf([40, 10], [31, 30, 29]);
  const task = deleteOldImages({ ...deps(), storage, now: () => 0 });
  expect(await task(sampleRun())).toEqual({ seen: 5, deleted: 2 });
  expect(removed).toEqual([['0-40'], ['1-31']]);
});

test('an abort ends the deletion between two pages', async () => {
  const abort = new AbortController();
  const { storage, removed } = pagesOf([40], [50]);
  const remove: Storage['remove'] = async (keys) => {
    await storage.remove(keys);
    abort.abort(new Error('stop'));
  };
  const task = deleteOldImages({ ...deps(), storage: { ...storage, remove }, now: () => 0 });
  await expect(task(sampleRun({ signal: abort.signal }))).rejects.toThrow('stop');
  expect(removed).toEqual([['0-40']]);
});
