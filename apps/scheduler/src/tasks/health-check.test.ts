import { expect, test } from '@jest/globals';
import type { Logger } from '@bunri/runtime';
import { sampleRun } from '../fixture.ts';
import type { QueueState } from '../queue-gauges.ts';
import { healthCheck } from './health-check.ts';

async function check(states: QueueState[]) {
  const errors: string[] = [];
  const log = { error: (_message: string, { queue }: QueueState) => errors.push(queue) } as unknown as Logger;
  const gauges = { refresh: async () => await Promise.resolve(states) };
  return { report: await healthCheck({ gauges })(sampleRun({ log })), errors };
}

const busy = { queue: 'vision', waiting: 12, workers: 5 };
const idle = { queue: 'rag', waiting: 0, workers: 0 };

test('a queue with waiting jobs and no workers is an error in the log', async () => {
  const { report, errors } = await check([busy, { queue: 'llm', waiting: 3, workers: 0 }]);
  expect(report).toEqual({ queues: 2, unattended: 1, waiting: 15, workers: 5 });
  expect(errors).toEqual(['llm']);
});

test('busy queues with workers and idle ones without are silent', async () => {
  const { report, errors } = await check([busy, idle]);
  expect(report).toMatchObject({ unattended: 0 });
  expect(errors).toEqual([]);
});
