import { afterAll, expect, test } from '@jest/globals';
import { scenariosNamed } from './catalogue.ts';
import { runScenario, type RunOptions } from './run-scenario.ts';

/** A few, one after the other. */
const short = scenariosNamed(['identical-photos', 'same-idempotency-key', 'sse-reconnect', 'model-5xx', 'kill-vision']);

const stopping = new AbortController();
const options: RunOptions = {
  seed: 1,
  redisBinary: process.env['REDIS_SERVER_BIN'],
  path: process.env['PATH'],
  onLine: () => undefined,
  stopping: stopping.signal,
};
afterAll(() => stopping.abort(new Error('the tests are over')));

test.each(short)('$name keeps its promises: $says', async (scenario) => {
  const result = await runScenario({ ...scenario, timeoutMs: 800_000 }, options);
  expect(result.broken).toEqual([]);
  expect(result).toMatchObject({ ok: true, tally: { lost: [], answeredTwice: 0, brokenStreams: [] } });
});

test('a scenario that is not over in time is stopped, and has failed', async () => {
  const fault = async () => await new Promise<never>(() => {});
  const scenario = { name: 'hangs', says: 'never ends', users: 0, fault, timeoutMs: 1_000 };
  const result = await runScenario(scenario, options);
  expect(result).toMatchObject({ ok: false, broken: ['not over after 1 s'], tally: null });
});
