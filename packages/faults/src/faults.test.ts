import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { scenariosNamed } from './catalogue.ts';
import { runScenario, type RunOptions } from './run-scenario.ts';
import type { ScenarioResult } from './scenario.ts';

jest.setTimeout(180_000);

/** Those that take seconds, two at a time: the lock of a killed worker is a wait with nothing to do. */
const lanes = [
  ['kill-vision', 'identical-photos', 'same-idempotency-key'],
  ['model-5xx', 'sse-reconnect'],
];
const short = scenariosNamed(lanes.flat());

const stopping = new AbortController();
const options: RunOptions = {
  seed: 1,
  redisBinary: process.env['REDIS_SERVER_BIN'],
  path: process.env['PATH'],
  onLine: () => undefined,
  stopping: stopping.signal,
};
const results = new Map<string, Promise<ScenarioResult>>();

beforeAll(() => {
  for (const lane of lanes) {
    let before: Promise<unknown> = Promise.resolve();
    for (const scenario of short.filter(({ name }) => lane.includes(name))) {
      const result = before.then(async () => await runScenario(scenario, options));
      result.catch(() => undefined);
      results.set(scenario.name, result);
      before = result;
    }
  }
});
afterAll(async () => {
  stopping.abort(new Error('the tests are over'));
  await Promise.allSettled(results.values());
});

test.each(short)('$name keeps its promises: $says', async ({ name }) => {
  const result = await results.get(name);
  expect(result?.broken).toEqual([]);
  expect(result).toMatchObject({ ok: true, tally: { lost: [], answeredTwice: 0, brokenStreams: [] } });
});

test('a scenario that is not over in time is stopped, and has failed', async () => {
  const fault = async () => await new Promise<never>(() => {});
  const scenario = { name: 'hangs', says: 'never ends', users: 0, fault, timeoutMs: 1_000 };
  const result = await runScenario(scenario, options);
  expect(result).toMatchObject({ ok: false, broken: ['not over after 1 s'], tally: null });
});
