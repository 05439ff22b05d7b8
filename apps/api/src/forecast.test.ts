import { expect, test } from '@jest/globals';
import { stageOrder } from '@bunri/queue-contracts';
import { usualService, type StageLoad } from '@bunri/runtime';
import { createForecast } from './forecast.ts';

/** A hundred jobs wait for vision, and one for each other stage. */
const loads = stageOrder.map((stage): StageLoad => ({
  stage,
  waiting: stage === 'vision' ? 100 : 1,
  active: 0,
  delayed: 0,
  slots: 1,
  workers: 1,
  stopped: false,
  pausedMs: 0,
  service: usualService(stage),
}));
const read = async () => await Promise.resolve(loads);
const forecast = createForecast({
  records: { nextTurn: async () => await Promise.resolve(0) },
  load: { read, readBefore: read },
});

test('a request that begins at a later stage does not stand in the lines before it', async () => {
  const whole = [await forecast.ofLast(), await forecast.ofNext('ann', 'batch'), await forecast.ofTurn('batch', 0)];
  expect(whole.map(({ position }) => position)).toEqual([103, 103, 103]);
  const fromRag = [
    await forecast.ofLast('rag'),
    await forecast.ofNext('ann', 'batch', 'rag'),
    await forecast.ofTurn('batch', 0, 'rag'),
  ];
  expect(fromRag.map(({ position }) => position)).toEqual([2, 2, 2]);
  expect(fromRag[0]?.completion?.p95Ms).toBeLessThan(whole[0]?.completion?.waitMs ?? 0);
  // Itself waits in the first of its lines.
  expect(await forecast.ofQueued('batch', 0, 'rag')).toMatchObject({ position: 1 });
});
