import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startModelApiSimulator, type ModelApiSimulator } from './model-api-simulator.ts';
import { drawSamplePhoto } from './photos.ts';
import { parseFaultPlan } from './simulator-faults.ts';
import { callBody, post } from './simulator-test-calls.ts';

const latency = { vision: [0, 0], answer: [0, 0] } as const;
let simulator: ModelApiSimulator;
beforeEach(async () => {
  simulator = await startModelApiSimulator({ latency, seed: 1 });
});
afterEach(() => simulator.stop());

const call = (body: unknown, signal?: AbortSignal) =>
  post(simulator.baseUrl, body, signal === undefined ? {} : { signal });

/** Until the server, too, knows that the first call is over. */
async function finishedCall(): Promise<void> {
  while (simulator.calls()[0]?.durationMs === null) await delay(1);
}

test('a fault hits as often as it says and only its kind of call', async () => {
  simulator.setFaults([
    { fault: 'quota', kind: 'vision' },
    { fault: 'server_error', status: 503, times: 2 },
  ]);
  const statuses = [];
  for (let index = 0; index < 3; index += 1) statuses.push((await call(callBody('How?'))).status);
  expect(statuses).toEqual([503, 503, 200]);
  expect((await call(callBody('How?', {}, await drawSamplePhoto()))).status).toBe(429);
});

test('a fault with a probability hits its share, the same calls for the same seed', async () => {
  const run = async () => {
    const faults = [{ fault: 'bad_request', probability: 0.3 }] as const;
    const own = await startModelApiSimulator({ latency, seed: 7, faults });
    const hits = [];
    for (let index = 0; index < 40; index += 1) {
      const response = await post(own.baseUrl, callBody('How?'));
      await response.text();
      hits.push(response.status === 400);
    }
    await own.stop();
    return hits;
  };
  const first = await run();
  expect(await run()).toEqual(first);
  expect(first.filter(Boolean).length).toBeGreaterThan(4);
  expect(first.filter(Boolean).length).toBeLessThan(22);
});

test('a rate limit carries exactly the headers of its rule', async () => {
  simulator.setFaults([
    { fault: 'rate_limit', times: 1, retryAfterMs: 250 },
    { fault: 'rate_limit', times: 1, retryAfter: '2' },
    { fault: 'rate_limit', times: 1 },
  ]);
  const seen = [];
  for (let index = 0; index < 3; index += 1) {
    const { status, headers } = await call(callBody('How?'));
    seen.push([status, headers.get('retry-after-ms'), headers.get('retry-after')]);
  }
  expect(seen).toEqual([
    [429, '250', null],
    [429, null, '2'],
    [429, null, null],
  ]);
});

/** What a client sees of an answer: all of it, its beginning, or a broken connection. */
async function received(response: Response): Promise<'whole' | 'part' | 'broken'> {
  try {
    // Only a finished response holds its usage.
    return (await response.text()).includes('"usage":{') ? 'whole' : 'part';
  } catch {
    return 'broken';
  }
}

test.each([
  ['slow', false, 'whole'],
  ['slow', true, 'whole'],
  ['disconnect', false, 'broken'],
  ['disconnect', true, 'broken'],
  ['truncated_stream', false, 'part'],
  ['truncated_stream', true, 'part'],
] as const)(
  '%s (stream: %s): the client receives it %s, and the log does not blame the client',
  async (fault, stream, seen) => {
    simulator.setFaults([{ fault, delayMs: 20 }]);
    expect(await received(await call(callBody('How?', { stream })))).toBe(seen);
    await finishedCall();
    expect(simulator.calls()[0]).toMatchObject({ fault, status: 200, aborted: false });
  },
);

test.each(['hang', 'stall'] as const)(
  '%s says nothing until the client goes away, which the log tells',
  async (fault) => {
    simulator.setFaults([{ fault }]);
    const controller = new AbortController();
    const body = call(callBody('How?'), controller.signal).then((response) => response.text());
    const outcome = body.catch((error: unknown) => error);
    while (simulator.calls()[0]?.fault !== fault) await delay(1);
    expect(simulator.calls()[0]?.durationMs).toBeNull();
    controller.abort();
    expect(await outcome).toMatchObject({ name: 'AbortError' });
    await finishedCall();
    expect(simulator.calls()[0]?.aborted).toBe(true);
  },
);

test('a slow call takes at least its delay', async () => {
  simulator.setFaults([{ fault: 'slow', delayMs: 120 }]);
  await (await call(callBody('How?'))).text();
  expect(simulator.calls()[0]?.durationMs).toBeGreaterThanOrEqual(115);
});

test('a plan from outside is refused unless each of its rules names a known fault', () => {
  expect(parseFaultPlan('[{"fault":"quota","times":1}]')).toEqual([{ fault: 'quota', times: 1 }]);
  for (const plan of ['{}', '[1]', '[{"fault":"earthquake"}]']) {
    expect(() => parseFaultPlan(plan)).toThrow(/"fault" of: rate_limit, quota/);
  }
});
