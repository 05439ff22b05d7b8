import { expect, test } from '@jest/globals';
import { createTaskLine, type TaskEnd } from './task-line.ts';

const never = new AbortController().signal;
/** Longer than any test: a batch that starts has started for another reason than the delay. */
const longMs = 60_000;

/** A line whose batches end when the test says so. */
function lineOf({ maxBatch = 3, delayMs = longMs } = {}) {
  const batches: { tasks: readonly string[]; end: PromiseWithResolvers<readonly TaskEnd<string>[]> }[] = [];
  const line = createTaskLine<string, string>({
    maxBatch: () => maxBatch,
    delayMs,
    run: async (tasks) => {
      const end = Promise.withResolvers<readonly TaskEnd<string>[]>();
      batches.push({ tasks, end });
      return await end.promise;
    },
  });
  const finish = (i: number) => batches[i]?.end.resolve(batches[i].tasks.map((task) => ({ value: `${task}!` })));
  return { line, batches, finish, tasks: () => batches.map((batch) => batch.tasks.join('')) };
}

test('a full batch does not wait for company, and no batch is larger than it may be', async () => {
  const { line, finish, tasks } = lineOf();
  const values = Promise.all('abcdefgh'.split('').map(async (task) => await line.add(task, never)));
  expect(tasks()).toEqual(['abc']);
  for (const i of [0, 1, 2]) {
    finish(i);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(tasks()).toEqual(['abc', 'def', 'gh']);
  expect((await values).join('')).toBe('a!b!c!d!e!f!g!h!');
});

test('a task without company goes alone after the delay', async () => {
  const { line, batches } = lineOf({ delayMs: 5 });
  const value = line.add('a', never);
  expect(batches).toEqual([]);
  while (batches.length === 0) await new Promise((resolve) => setImmediate(resolve));
  batches[0]?.end.resolve([{ value: 'done' }]);
  expect(await value).toBe('done');
});

test('each task has an end of its own, and one that the batch forgot has an error', async () => {
  const { line, batches } = lineOf();
  const ends = Promise.allSettled('abc'.split('').map(async (task) => await line.add(task, never)));
  batches[0]?.end.resolve([{ value: 'A' }, { error: new Error('b is broken') }]);
  expect(await ends).toMatchObject([
    { value: 'A' },
    { reason: { message: 'b is broken' } },
    { reason: { message: 'the engine gave no result for a task' } },
  ]);
});

test('a batch that fails as a whole fails all of its tasks, and the next goes on', async () => {
  const { line, batches, finish, tasks } = lineOf();
  const ends = Promise.allSettled('abcd'.split('').map(async (task) => await line.add(task, never)));
  batches[0]?.end.reject(new Error('died'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(tasks()).toEqual(['abc', 'd']);
  finish(1);
  const [a, b, c, d] = await ends;
  for (const end of [a, b, c]) expect(end).toMatchObject({ reason: { message: 'died' } });
  expect(d).toMatchObject({ value: 'd!' });
});

test('a waiting task that is aborted never runs, and leaves no timer behind', async () => {
  const { line, tasks } = lineOf();
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const given = new AbortController();
  const task = line.add('a', given.signal);
  expect(timers()).toBe(before + 1);
  given.abort(new Error('canceled'));
  await expect(task).rejects.toThrow('canceled');
  await expect(line.add('b', given.signal)).rejects.toThrow('canceled');
  expect(timers()).toBe(before);
  const values = Promise.all('cde'.split('').map(async (other) => await line.add(other, never)));
  expect(tasks()).toEqual(['cde']);
  void values;
});

test('the line is idle when nobody waits for a task any more, be it that one still runs', async () => {
  const { line, tasks } = lineOf({ maxBatch: 1 });
  await line.idle();
  const [first, second] = [new AbortController(), new AbortController()];
  const ends = [line.add('a', first.signal), line.add('b', second.signal)];
  const order: string[] = [];
  void line.idle().then(() => order.push('idle'));
  first.abort(new Error('canceled'));
  await expect(ends[0]).rejects.toThrow('canceled');
  order.push('one left');
  second.abort(new Error('canceled'));
  await expect(ends[1]).rejects.toThrow('canceled');
  await line.idle();
  expect(order).toEqual(['one left', 'idle']);
  expect(line.running()).toBe(true);
  expect(tasks()).toEqual(['a']);
});
