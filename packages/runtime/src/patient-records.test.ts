import { expect, test } from '@jest/globals';
import { createLogger } from './log.ts';
import { patientRecords, StoreUnavailable } from './patient-records.ts';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const run = { id: 'req_1', stage: 'vision', token: 'a' } as const;
const result = { output: {}, durationMs: 1, cached: false };

/** A store whose `finish` is refused so many times; nothing else of it is called. */
function refusing(times: number) {
  let calls = 0;
  const unused = async () => await Promise.reject(new Error('not expected'));
  const finish = async () => {
    calls += 1;
    if (calls <= times) throw new Error('OOM command not allowed');
    return await Promise.resolve({ outcome: 'finished' as const });
  };
  return {
    calls: () => calls,
    records: { isAwaited: unused, start: unused, finish, retry: unused, release: unused, giveUp: unused, fail: unused },
  };
}

test('a transition that Redis refuses is repeated until it is taken', async () => {
  const { records, calls } = refusing(2);
  const patient = patientRecords(records, { signal: new AbortController().signal, log });
  expect(await patient.finish(run, result)).toEqual({ outcome: 'finished' });
  expect(calls()).toBe(3);
});

test('an abort ends the waiting after one more try', async () => {
  const { records, calls } = refusing(Infinity);
  const abort = new AbortController();
  const finishing = patientRecords(records, { signal: abort.signal, log }).finish(run, result);
  abort.abort();
  await expect(finishing).rejects.toThrow(StoreUnavailable);
  expect(calls()).toBeLessThanOrEqual(2);
});

test('the waiting is bounded', async () => {
  const { records, calls } = refusing(Infinity);
  let time = 0;
  const now = () => (time += 40_000);
  const patient = patientRecords(records, { signal: new AbortController().signal, log, now });
  await expect(patient.finish(run, result)).rejects.toThrow(StoreUnavailable);
  expect(calls()).toBe(2);
});
