import { expect, test } from '@jest/globals';
import { createTurnstile } from './turnstile.ts';

const tooLong = () => new Error('too long');

test('no more than the limit run at once, in the order in which they came, and failures give their place on', async () => {
  const turnstile = createTurnstile({ limit: 2, patienceMs: 60_000, tooLong });
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  const work = async (n: number) => {
    begun.push(n);
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    if (n % 3 === 0) throw new Error(`work ${n}`);
    return n;
  };
  const ends = await Promise.allSettled(
    [0, 1, 2, 3, 4, 5, 6].map(async (n) => await turnstile(async () => await work(n))),
  );
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(most).toBe(2);
  expect(ends.map(({ status }) => status === 'fulfilled')).toEqual([false, true, true, false, true, true, false]);
});

test('who waits too long is not run, and nobody else loses a place by it', async () => {
  const turnstile = createTurnstile({ limit: 1, patienceMs: 5, tooLong });
  const first = Promise.withResolvers<void>();
  const running = turnstile(async () => await first.promise);
  let ran = false;
  await expect(
    turnstile(async () => {
      ran = true;
      await Promise.resolve();
    }),
  ).rejects.toThrow('too long');
  first.resolve();
  await running;
  expect(ran).toBe(false);
  expect(await turnstile(async () => await Promise.resolve('next'))).toBe('next');
});

test('who is called off is not run, and the next one in line takes its place', async () => {
  const turnstile = createTurnstile({ limit: 1, patienceMs: 60_000, tooLong });
  const first = Promise.withResolvers<void>();
  const running = turnstile(async () => await first.promise);
  const ran: string[] = [];
  const note = (name: string) => async () => {
    ran.push(name);
    await Promise.resolve();
  };
  const off = new AbortController();
  const second = turnstile(note('second'), off.signal);
  const third = turnstile(note('third'));
  off.abort(new Error('called off'));
  await expect(second).rejects.toThrow('called off');
  await expect(turnstile(note('late'), off.signal)).rejects.toThrow('called off');
  first.resolve();
  await Promise.all([running, third]);
  expect(ran).toEqual(['third']);
});
