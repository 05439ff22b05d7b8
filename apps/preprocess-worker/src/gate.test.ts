import { expect, test } from '@jest/globals';
import { createGate } from './gate.ts';

/** Work that ends when the test says so, and tells when it began. */
function controlled(order: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = async () => {
    order.push(name);
    await promise;
    return name;
  };
  return { work, end: resolve };
}

const never = new AbortController().signal;
const turn = async () => await new Promise((resolve) => setImmediate(resolve));

test('work runs at once while it fits the budget, and in the order of its coming when it does not', async () => {
  const gate = createGate(100);
  const order: string[] = [];
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => controlled(order, name));
  const runs = [
    gate.run(60, never, a!.work),
    gate.run(30, never, b!.work),
    gate.run(70, never, c!.work),
    // Would fit beside a and b, but may not overtake c.
    gate.run(10, never, d!.work),
  ];
  await turn();
  expect(order).toEqual(['a', 'b']);
  a!.end();
  await turn();
  expect(order).toEqual(['a', 'b', 'c']);
  for (const task of [b, c, d]) task!.end();
  expect(await Promise.all(runs)).toEqual(['a', 'b', 'c', 'd']);
});

test('work that fails gives its share back', async () => {
  const gate = createGate(10);
  await expect(gate.run(10, never, async () => await Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await gate.run(10, never, async () => await Promise.resolve('next'))).toBe('next');
});

test('an abort takes work out of the queue, and lets what stood behind it go on', async () => {
  const gate = createGate(10);
  const order: string[] = [];
  const [first, second, third] = ['first', 'second', 'third'].map((name) => controlled(order, name));
  const abort = new AbortController();
  const running = gate.run(6, never, first!.work);
  const waiting = gate.run(8, abort.signal, second!.work);
  const behind = gate.run(4, never, third!.work);
  abort.abort(new Error('stop'));
  await expect(waiting).rejects.toThrow('stop');
  await turn();
  expect(order).toEqual(['first', 'third']);
  first!.end();
  third!.end();
  await Promise.all([running, behind]);
});

test('work that could never fit is refused instead of waiting for ever', async () => {
  await expect(createGate(10).run(11, never, async () => await Promise.resolve())).rejects.toThrow(RangeError);
});
