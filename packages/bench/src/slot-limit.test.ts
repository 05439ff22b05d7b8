import { expect, test } from '@jest/globals';
import type { AppName } from '@bunri/cli/system';
import { readPods, type Pods } from './pods.ts';
import { slotLimitAMinute } from './slot-limit.ts';

function placement(vision: Pods, llm: Pods): Map<AppName, Pods> {
  return new Map([
    ['vision-worker', vision],
    ['llm-worker', llm],
  ]);
}
const pod = (replicas: number, slots: string): Pods => ({ replicas, env: { CONCURRENCY: slots } });

test('the limit is that of the stage whose slots give less in the time that its answers take', () => {
  expect(slotLimitAMinute(placement(pod(2, '10'), pod(9, '10')))).toBe(300);
  expect(slotLimitAMinute(placement(pod(9, '10'), pod(1, '10')))).toBe(400);
});

test('the two-node placement can complete 1,200 a minute', async () => {
  expect(slotLimitAMinute(await readPods())).toBe(1_200);
});

test('a placement whose slots are not known has no limit', () => {
  expect(() => slotLimitAMinute(placement({ replicas: 1, env: {} }, pod(1, '1')))).toThrow('slots vision has');
});
