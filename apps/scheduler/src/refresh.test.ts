import { expect, test } from '@jest/globals';
import { createLogger, createProcessLife } from '@bunri/runtime';
import { refreshEvery } from './refresh.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });

test('the work is repeated, after a failure too, and never runs twice at once', async () => {
  const life = createProcessLife({ log, graceMs: 1_000 });
  const enough = Promise.withResolvers<void>();
  let runs = 0;
  let running = 0;
  const work = async () => {
    running += 1;
    expect(running).toBe(1);
    runs += 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
    if (runs === 3) enough.resolve();
    throw new Error('Redis is away');
  };
  refreshEvery(1, work, { life, log });
  await enough.promise;
  await life.stop('test');
});

test('a stopping process waits for the work and starts none again', async () => {
  const life = createProcessLife({ log, graceMs: 1_000 });
  const { promise, resolve } = Promise.withResolvers<void>();
  let runs = 0;
  const work = async () => {
    runs += 1;
    await promise;
  };
  refreshEvery(1, work, { life, log });
  const stopped = life.stop('test');
  resolve();
  expect(await stopped).toBe(0);
  expect(runs).toBe(1);
});
