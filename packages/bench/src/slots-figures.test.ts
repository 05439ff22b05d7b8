import { expect, test } from '@jest/globals';
import { slotsFigures, type SlotsSample } from './slots-figures.ts';

const user = { accepted: true, refusals: 0, resumed: 0, end: 'completed' };
const pod = { cpuSeconds: 1, peakRss: 2 ** 28, peakPss: 80e6 };
const sample: SlotsSample = {
  outcomes: [
    // Before, in and after the window.
    { ...user, startedAt: 0, endedAt: 9_000 },
    { ...user, startedAt: 0, endedAt: 10_000 },
    { ...user, startedAt: 2_000, endedAt: 69_999 },
    { ...user, startedAt: 2_000, endedAt: 70_000 },
  ],
  window: { from: 10_000, to: 70_000 },
  processes: [
    { app: 'llm-worker', ...pod },
    { app: 'llm-worker', ...pod, peakPss: 90e6 },
    { app: 'api', ...pod, peakRss: 2 ** 29 },
  ],
  workersPeakPss: 160e6,
  probes: [
    { app: 'api', ms: [1, 2, 3], failures: [] },
    { app: 'llm-worker', ms: [1, 2, 300], failures: [] },
  ],
  slotLimit: 1_200,
  redis: { connections: 40, bytes: 5e6 },
  modelCalls: { vision: 5, llm: 4 },
};
const valueOf = (given: SlotsSample, name: string) =>
  slotsFigures(given).find(({ figure }) => figure.startsWith(name)) ?? { bunri: Number.NaN, bound: null };

test('what is counted ended within the window, and CPU is shared by it', () => {
  expect(slotsFigures(sample)[0]).toMatchObject({ baseline: 1_200, bunri: 2, ratio: 2 / 1_200, bound: { met: false } });
  expect(valueOf(sample, 'submit to end seen, p50').bunri).toBe(10);
  expect(valueOf(sample, 'CPU seconds per 1,000, all').bunri).toBe(1_500);
  expect(valueOf(sample, 'CPU seconds per 1,000, llm-worker × 2').bunri).toBe(1_000);
});

test('memory is that of workers; the api has a limit of its own', () => {
  expect(valueOf(sample, 'RSS of the largest worker')).toMatchObject({ bunri: 256, bound: { met: true } });
  expect(valueOf(sample, 'PSS of the 2 workers together').bunri).toBe(160);
  expect(valueOf(sample, 'PSS of the largest llm-worker').bunri).toBe(90);
});

test('a request that was not completed, and a call that nobody needed, break their bounds', () => {
  expect(valueOf(sample, 'not completed').bound).toMatchObject({ met: true });
  const broken = { ...user, accepted: false, startedAt: 0, endedAt: 5_000, end: 'refused 500' };
  const worse = { ...sample, outcomes: [...sample.outcomes, broken] };
  expect(valueOf(worse, 'not completed')).toMatchObject({ bunri: 1, bound: { met: false } });
  expect(valueOf(sample, 'vision calls beyond')).toMatchObject({ bunri: 1, bound: { met: false } });
  expect(valueOf(sample, 'answer calls beyond')).toMatchObject({ bunri: 0, bound: { met: true } });
});

test('the slowest pod is what the probes are judged by, and one that fails breaks a bound of its own', () => {
  expect(valueOf(sample, 'probes of the slowest pod (llm-worker), p99')).toMatchObject({
    bunri: 300,
    bound: { text: '< 100', met: false },
  });
  expect(valueOf(sample, 'probes that failed, of 6')).toMatchObject({ bunri: 0, bound: { met: true } });
  const failing = { ...sample, probes: [{ app: 'rag-worker', ms: [], failures: ['503'] }] as const };
  expect(valueOf(failing, 'probes that failed, of 1')).toMatchObject({ bunri: 1, bound: { met: false } });
  expect(valueOf(failing, 'probes of the slowest pod (rag-worker), p99').bound?.met).toBe(false);
});
