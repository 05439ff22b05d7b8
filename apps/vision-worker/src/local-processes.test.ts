import { expect, test } from '@jest/globals';
import type { InferenceEngine } from '@bunri/engines';
import { leastBusy, localConcurrency, localProcesses } from './local-processes.ts';

const mib = 1024 ** 2;

test.each([
  // The default budget holds one.
  [384, 256, 8, 1],
  [512, 256, 8, 2],
  [2048, 256, 8, 8],
  [2048, 256, 2, 2],
  // One that does not fit fails with its own error, and not for want of anybody to ask.
  [128, 256, 8, 1],
  [384, 256, 0, 1],
])('%i MiB hold of a model of %i MiB, on %i cores, %i processes', (budget, model, cores, processes) => {
  expect(localProcesses({ budgetBytes: budget * mib, modelBytes: model * mib, cores })).toBe(processes);
});

test('a worker takes a batch for each process', () => {
  expect([1, 2].map(localConcurrency)).toEqual([4, 8]);
});

test('photos go to the process with the least to do, and to the first while none has any', async () => {
  const taken: string[] = [];
  const ends: (() => void)[] = [];
  const engine = (name: string): InferenceEngine<number, number> => ({
    model: 'materials',
    load: async () => {},
    unload: async () => void taken.push(`${name} unloaded`),
    memoryBytes: () => 1,
    predict: async (batch) => {
      taken.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
      const tokens = { input: 0, cachedInput: 0, output: 0 };
      return batch.map((value) => ({ value, engine: { provider: 'local', model: 'materials' }, tokens }));
    },
  });
  const both = leastBusy([engine('a'), engine('b')]);
  const { signal } = new AbortController();
  const predict = async () => await both.predict([1], { signal });
  const [first, second, third] = [predict(), predict(), predict()];
  expect(taken).toEqual(['a', 'b', 'a']);
  ends[1]?.();
  await second;
  const fourth = predict();
  expect(taken).toEqual(['a', 'b', 'a', 'b']);
  for (const end of ends) end();
  await Promise.all([first, third, fourth]);
  const fifth = predict();
  expect(taken.at(-1)).toBe('a');
  ends.at(-1)?.();
  await fifth;
  expect(both.memoryBytes()).toBe(2);
  await both.unload();
  expect(taken.slice(-2)).toEqual(['a unloaded', 'b unloaded']);
});
