import { expect, test } from '@jest/globals';
import type { RequestStatus } from '@bunri/queue-contracts';
import { createLogger, type RequestRecord } from '@bunri/runtime';
import { createDeadlineWatch } from './deadline-watch.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });

/** Answers each read with what `answers` has next, and tells how often it was asked. */
function watchOf(answers: ({ status: RequestStatus; deadlineAt: number } | null)[]) {
  let reads = 0;
  const read = async () => {
    reads += 1;
    const answer = answers.shift() ?? null;
    return await Promise.resolve(
      answer && ({ status: answer.status, request: { deadlineAt: answer.deadlineAt } } as RequestRecord),
    );
  };
  const watch = createDeadlineWatch({ reader: { read }, log, now: Date.now });
  return { watch, reads: () => reads };
}

test('a request is read once at its deadline, however many listen to it', async () => {
  const { watch, reads } = watchOf([null]);
  const deadlineAt = Date.now() + 20;
  const lost = Array.from({ length: 50 }, () => Promise.withResolvers<void>());
  for (const { resolve } of lost) watch('req_a', deadlineAt, resolve);
  await Promise.all(lost.map(async ({ promise }) => await promise));
  expect(reads()).toBe(1);
});

test('a request that was retried is looked at again at its later deadline', async () => {
  const { watch, reads } = watchOf([{ status: 'running', deadlineAt: Date.now() + 30 }, null]);
  await new Promise<void>((resolve) => watch('req_a', Date.now(), resolve));
  expect(reads()).toBe(2);
});

test('nobody is watched for who has left, or whose request has ended', async () => {
  const { watch, reads } = watchOf([null]);
  const told: string[] = [];
  watch('req_a', Date.now(), () => told.push('left'))();
  watch('req_b', null, () => told.push('ended'));
  await new Promise<void>((resolve) => watch('req_c', Date.now(), resolve));
  expect(told).toEqual([]);
  expect(reads()).toBe(1);
});
