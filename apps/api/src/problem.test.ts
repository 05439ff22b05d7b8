import { expect, test } from '@jest/globals';
import { toProblem } from './problem.ts';

function replyError(message: string): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return error;
}

test.each([
  "OOM command not allowed when used memory > 'maxmemory'.",
  'LOADING Redis is loading the dataset in memory',
  "READONLY You can't write against a read only replica.",
  'MISCONF Redis is configured to save RDB snapshots',
  'MOVED 3999 127.0.0.1:6381',
  'EXECABORT Transaction discarded because of previous errors.',
])('a Redis that answers %s is unavailable, and the client is told when to come back', async (message) => {
  const problem = await toProblem(replyError(message), async () => await Promise.resolve(true));
  expect(problem).toMatchObject({ code: 'service_unavailable', status: 503, headers: { 'retry-after': '5' } });
});

test('a command whose answer does not come in time is an outage, also where Redis answers the next one', async () => {
  const problem = await toProblem(new Error('Command timed out'), async () => await Promise.resolve(true));
  expect(problem).toMatchObject({ code: 'service_unavailable', status: 503 });
});

test('another refusal of Redis is a fault of ours', async () => {
  const problem = await toProblem(replyError('ERR wrong number of arguments'), async () => await Promise.resolve(true));
  expect(problem).toMatchObject({ code: 'internal_error', status: 500 });
});
