import { expect, test } from '@jest/globals';
import { EngineFailedError, inParallel } from './in-parallel.ts';

const options = { concurrency: 2, signal: new AbortController().signal };
const name = (item: number) => `case ${item}`;

test('results stand in the order of the items, however long each takes', async () => {
  const waits = new Map<number, () => void>();
  const results = inParallel(
    [1, 2, 3],
    async (item) => {
      if (item === 1) await new Promise<void>((resolve) => waits.set(item, resolve));
      if (item === 3) waits.get(1)?.();
      return item * 10;
    },
    name,
    options,
  );
  expect(await results).toEqual([10, 20, 30]);
});

test('the first failure is told with its item, ends what is under way, and nothing more is begun', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const run = inParallel(
    [1, 2, 3, 4],
    async (item, signal) => {
      begun.push(item);
      if (item === 2) throw new Error('down');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended.push(item);
    },
    name,
    options,
  );
  await expect(run).rejects.toThrow(EngineFailedError);
  await expect(run).rejects.toThrow('case 2: down');
  expect([begun, ended]).toEqual([[1, 2], [1]]);
});
