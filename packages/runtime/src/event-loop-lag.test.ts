import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';

test('a blocked event loop is told once, and one that is not has no lag', async () => {
  const { registry } = createMetrics({ app: 'test' });
  const read = async (figure: string) => {
    const metric = registry.getSingleMetric(`nodejs_eventloop_lag_${figure}_seconds`);
    return (await metric?.get())?.values[0]?.value;
  };
  const readAll = async () => {
    // As a scrape does, in the order of their registration.
    const min = await read('min');
    return { min, p50: await read('p50'), max: await read('max') };
  };
  await delay(350);
  const until = performance.now() + 400;
  while (performance.now() < until);
  await delay(650);
  const blocked = await readAll();
  expect(blocked.max).toBeGreaterThan(0.25);
  // The pause between two looks does not count as lag.
  expect(blocked.min).toBeLessThan(0.05);
  await delay(450);
  const quiet = await readAll();
  expect(quiet.max).toBeLessThan(0.25);
});
