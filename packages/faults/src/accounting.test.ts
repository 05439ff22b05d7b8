import { expect, test } from '@jest/globals';
import { failureCodes } from '@bunri/queue-contracts';
import type { CallLogEntry } from '@bunri/testkit';
import { secondsToRecover, tally, type CallFacts, type Ending, type Observed, type ToldEvent } from './accounting.ts';
import { brokenPromises, brokenRecovery } from './promises.ts';

const none = { mayFail: [], mayForget: false } as const;

/** The events of a request that took the usual way. */
function usualEvents(): ToldEvent[] {
  const stages = ['preprocess', 'vision', 'rag', 'llm'];
  const events = [
    { type: 'accepted', stage: null },
    ...stages.flatMap((stage) => [
      { type: 'stage.started', stage },
      { type: 'stage.completed', stage },
    ]),
    { type: 'completed', stage: null },
  ];
  return events.map((event, i) => ({ ...event, seq: i + 1 }));
}

function observe(id: string, more: Partial<Observed> = {}): Observed {
  const events = usualEvents();
  return {
    id,
    key: `key ${id}`,
    work: `work ${id}`,
    submittedAt: 900,
    acceptedAt: 1_000,
    endedAt: 2_000,
    ending: { kind: 'completed' },
    live: events,
    streams: [events, events],
    finished: ['preprocess', 'vision', 'rag', 'llm'],
    byRules: [],
    attempts: { preprocess: 1, vision: 1, rag: 1, llm: 1 },
    ...more,
  };
}

function call(kind: 'vision' | 'answer', more: Partial<CallLogEntry> = {}): CallLogEntry {
  return {
    at: 1_000,
    kind,
    model: 'simulated',
    imageSha256: null,
    stream: false,
    fault: null,
    status: 200,
    aborted: false,
    durationMs: 100,
    ...more,
  };
}

function count(observed: readonly Observed[], facts: Partial<CallFacts> = {}) {
  return tally(observed, { calls: [], moments: [], cutsOff: [], ...facts }, failureCodes);
}

test('a request that was answered once, with the calls that it needed, breaks no promise', () => {
  const result = count([observe('a')], { calls: [call('vision'), call('answer')] });
  expect(result).toMatchObject({ accepted: 1, completed: 1, lost: [], answeredTwice: 0, brokenStreams: [] });
  expect(result.calls).toEqual({ made: 2, needed: 2, inFlight: 0 });
  expect(brokenPromises(result, none)).toEqual([]);
});

test.each<[string, Ending]>([
  ['unknown to the api', { kind: 'unknown' }],
  ['open long after its deadline', { kind: 'open', overdue: true }],
  ['failed with a code that is none of the contracts', { kind: 'failed', code: 'oops' }],
  ['gone without a code', { kind: 'gone', code: '' }],
])('a request that is %s is lost', (_what, ending) => {
  const result = count([observe('a'), observe('b', { ending })]);
  expect(result.lost).toEqual(['b']);
  expect(brokenPromises(result, { mayFail: ['internal_error'], mayForget: true })).toContain('lost: b');
});

test('a request that failed, was canceled, is gone with a code or is open within its deadline is not lost', () => {
  const endings: Ending[] = [
    { kind: 'failed', code: 'model_refused' },
    { kind: 'canceled' },
    { kind: 'gone', code: 'request_forgotten' },
    { kind: 'open', overdue: false },
  ];
  const result = count(endings.map((ending, i) => observe(String(i), { ending })));
  expect(result).toMatchObject({ lost: [], failed: { model_refused: 1 }, canceled: 1, gone: 1, open: 1 });
});

test('a second end in the stream is an answer too many, whoever shows it', () => {
  const doubled = [...usualEvents(), { seq: 11, type: 'completed', stage: null }];
  const stored = count([observe('a', { streams: [usualEvents(), doubled] })]);
  const told = count([observe('a', { live: [...usualEvents(), { seq: 11, type: 'failed', stage: null }] })]);
  expect([stored.answeredTwice, told.answeredTwice]).toEqual([1, 1]);
  expect(brokenPromises(stored, none)).toContain('answered twice: 1');
});

test('a stage that completes twice is an answer too many', () => {
  const events = usualEvents();
  const twice = events
    .toSpliced(5, 0, { seq: 0, type: 'stage.completed', stage: 'vision' })
    .map((event, i) => ({ ...event, seq: i + 1 }));
  expect(count([observe('a', { streams: [twice] })]).answeredTwice).toBe(1);
});

test.each<[string, (events: ToldEvent[]) => Partial<Observed>]>([
  ['a gap', (events) => ({ streams: [events.toSpliced(3, 1)] })],
  ['a repetition for the client', (events) => ({ live: events.toSpliced(3, 0, ...events.slice(2, 3)) })],
  ['no end', (events) => ({ streams: [events.slice(0, -1)] })],
  ['a missing start', (events) => ({ live: events.slice(1) })],
  ['no events at all', () => ({ streams: [[]] })],
])('events with %s are told by the id of their request', (_what, change) => {
  const result = count([observe('a'), observe('b', change(usualEvents()))]);
  expect(result.brokenStreams).toEqual(['b']);
  expect(brokenPromises(result, none)).toContainEqual(expect.stringContaining('no end: b'));
});

test('a client that stopped listening half way has seen no broken stream', () => {
  expect(count([observe('a', { live: usualEvents().slice(0, 4) })]).brokenStreams).toEqual([]);
});

test('one key that became two requests is told', () => {
  const result = count([observe('a', { key: 'k' }), observe('b', { key: 'k' })]);
  expect(result.doubledKeys).toEqual(['k']);
  expect(brokenPromises(result, none)).toContain('two requests for one key: k');
});

test('a call beyond the needed ones breaks the promise, unless the fault cut one of its kind off', () => {
  const calls = [
    call('vision', { at: 950, aborted: true }),
    call('vision', { at: 1_400 }),
    call('answer', { at: 1_900 }),
  ];
  const facts = { calls, moments: [1_000] };
  const cut = count([observe('a')], { ...facts, cutsOff: ['vision'] });
  expect(cut.calls).toEqual({ made: 3, needed: 2, inFlight: 1 });
  expect(brokenPromises(cut, none)).toEqual([]);
  const whole = count([observe('a')], { ...facts, cutsOff: ['answer'], moments: [1_150] });
  expect(whole.calls).toEqual({ made: 3, needed: 2, inFlight: 0 });
  expect(brokenPromises(whole, none)).toEqual(['3 model calls, where 2 were needed and 0 were cut off']);
});

test('a call that had ended before the fault or began long after was not in flight, one that never ended was, or whose answer was on its way', () => {
  const calls = [
    call('vision', { at: 800, durationMs: 100 }),
    call('vision', { at: 800, durationMs: 150 }),
    call('vision', { at: 990, durationMs: null }),
    call('vision', { at: 1_300, durationMs: null }),
  ];
  expect(count([observe('a')], { calls, moments: [1_000], cutsOff: ['vision'] }).calls.inFlight).toBe(2);
});

test('calls that an injected fault failed are not counted, slow ones are', () => {
  const calls = [
    call('vision', { fault: 'server_error', status: 500 }),
    call('vision', { fault: 'slow' }),
    call('answer'),
  ];
  expect(count([observe('a')], { calls }).calls.made).toBe(2);
});

test('two requests for the same work need one call of each kind', () => {
  const twins = [observe('a', { work: 'w' }), observe('b', { work: 'w' })];
  expect(count(twins, { calls: [call('vision'), call('answer')] }).calls.needed).toBe(2);
});

test('an answer from the rules alone needs no call, and is told apart', () => {
  const result = count([observe('a'), observe('b', { byRules: ['llm'] })]);
  expect(result).toMatchObject({ completed: 2, degraded: 1, calls: { needed: 3 } });
});

test('a stage whose result was paid for is needed, also of a request that failed later or was forgotten', () => {
  const events = usualEvents().slice(0, 5);
  const ending: Ending = { kind: 'gone', code: 'request_forgotten' };
  const forgotten = observe('a', { ending, live: events, streams: [], finished: [] });
  expect(count([forgotten]).calls.needed).toBe(1);
});

test('a failure that the fault does not explain breaks a promise, an expected one does not', () => {
  const result = count([observe('a'), observe('b', { ending: { kind: 'failed', code: 'model_timeout' } })]);
  expect(brokenPromises(result, none)).toEqual(['requests failed: 1 × model_timeout']);
  expect(brokenPromises(result, { ...none, mayFail: ['model_timeout'] })).toEqual([]);
});

test('a scenario in which nothing happened shows nothing', () => {
  expect(brokenPromises(count([]), none)).toHaveLength(2);
});

test('recovery ends with the last request from before and the first answer to one from afterwards', () => {
  const before = observe('a', { acceptedAt: 1_000, endedAt: 9_000 });
  const after = observe('b', { submittedAt: 5_100, acceptedAt: 5_200, endedAt: 7_000 });
  expect(secondsToRecover([before, after], 5_000)).toBe(4);
  expect(secondsToRecover([{ ...before, endedAt: 6_000 }, after], 5_000)).toBe(2);
  expect(secondsToRecover([{ ...before, endedAt: null }, after], 5_000)).toBeNull();
  expect(secondsToRecover([before], 5_000)).toBeNull();
});

test('an answer that failed after the fault is no sign of recovery', () => {
  const failed = observe('b', { submittedAt: 5_100, live: [{ seq: 1, type: 'failed', stage: null }] });
  expect(secondsToRecover([observe('a'), failed], 5_000)).toBeNull();
});

test('a recovery that takes 45 seconds, or does not come, breaks its promise', () => {
  expect(brokenRecovery(44.9)).toEqual([]);
  expect(brokenRecovery(45)).toHaveLength(1);
  expect(brokenRecovery(null)).toHaveLength(1);
});
