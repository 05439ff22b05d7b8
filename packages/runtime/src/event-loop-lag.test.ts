import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { until } from '@bunri/testkit/until';
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
  // A machine that stands still itself is no reason to fail: of some looks one is undisturbed.
  await until(async () => {
    await delay(350);
    const free = performance.now() + 400;
    while (performance.now() < free);
    await delay(650);
    const { min = 1, max = 0 } = await readAll();
    expect(max).toBeGreaterThan(0.25);
    // The pause between two looks does not count as lag.
    return min < 0.05;
  });
  await until(async () => {
    await delay(450);
    return ((await readAll()).max ?? 1) < 0.25;
  });
});
