import { expect, test } from '@jest/globals';
import { createMetrics } from './metrics.ts';
import { failingChecks, serveProbes } from './probes.ts';

test('liveness does not depend on readiness', async () => {
  const { registry } = createMetrics({ app: 'test' });
  const checks = { redis: async () => await Promise.reject(new Error('down')), worker: () => true };
  const server = await serveProbes({ port: 0, host: '127.0.0.1', registry, checks });
  try {
    const ask = async (path: string) => await fetch(`http://127.0.0.1:${server.port}${path}`);
    expect((await ask('/healthz')).status).toBe(200);
    const ready = await ask('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ ready: false, failing: ['redis'] });
    expect(await (await ask('/metrics')).text()).toContain('process_cpu_seconds_total');
    expect((await ask('/other')).status).toBe(404);
  } finally {
    await server.close();
  }
});

test('checks that are false or reject are named, the others are not', async () => {
  const checks = { fine: () => true, no: () => false, broken: () => Promise.reject(new Error('x')) };
  expect(await failingChecks(checks)).toEqual(['no', 'broken']);
});

test('a check has failed that is silent for two seconds, not one that was answered while the process stood still', async () => {
  const answered = async () => await new Promise<boolean>((resolve) => setImmediate(() => resolve(true)));
  // From here on timers come first, then what is answered.
  await new Promise((resolve) => setImmediate(resolve));
  const failing = failingChecks({ answered, silent: async () => await new Promise<boolean>(() => undefined) });
  // The checks are asked.
  await Promise.resolve();
  await Promise.resolve();
  const goesOnAt = performance.now() + 2_500;
  while (performance.now() < goesOnAt);
  expect(await failing).toEqual(['silent']);
});
