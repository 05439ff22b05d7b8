import { expect, test } from '@jest/globals';
import { createLanes, type LaneEntry } from './lanes.ts';

const url = 'https://example.com/a';

function start(limits: { perEndpoint?: number; perOwner?: number } = {}) {
  const clock = { now: 1_000_000 };
  const lanes = createLanes({ now: () => clock.now, ...limits });
  const fail = (owner = 'ann', at = url, times = 5) => {
    for (let i = 0; i < times; i += 1) admitted(lanes.enter(owner, at, false)).leave('failed');
  };
  return { clock, lanes, fail };
}

function admitted(entry: LaneEntry): Extract<LaneEntry, { admitted: true }> {
  if (!entry.admitted) throw new Error(`not admitted: ${entry.reason}`);
  return entry;
}

test('an endpoint takes four at once, and one that leaves makes room for one', () => {
  const { lanes } = start();
  const entries = Array.from({ length: 4 }, () => admitted(lanes.enter('ann', url, false)));
  expect(lanes.enter('ann', 'https://example.com/b', false)).toMatchObject({ admitted: false, reason: 'busy' });
  entries[0]?.leave('answered');
  entries[0]?.leave('answered');
  admitted(lanes.enter('ann', url, false));
  expect(lanes.enter('ann', url, false)).toMatchObject({ admitted: false, reason: 'busy' });
});

test('an owner has eight at once over all endpoints, and another owner is not concerned', () => {
  const { lanes } = start();
  for (let i = 0; i < 8; i += 1) admitted(lanes.enter('ann', `https://h${i}.example.com/`, false));
  expect(lanes.enter('ann', 'https://h9.example.com/', false)).toMatchObject({ reason: 'busy' });
  admitted(lanes.enter('bob', 'https://h0.example.com/', false));
});

test('those that find no room come back one after the other, and an endpoint’s line ends within an hour', () => {
  const { lanes, clock } = start({ perEndpoint: 1 });
  const slow = admitted(lanes.enter('ann', url, false));
  clock.now += 15_000;
  slow.leave('answered');
  admitted(lanes.enter('ann', url, false));
  const waits = Array.from({ length: 2_000 }, () => {
    const entry = lanes.enter('ann', url, false);
    return entry.admitted || entry.reason !== 'busy' ? Number.NaN : entry.waitMs;
  });
  expect(waits.slice(0, 100)).toEqual(waits.slice(0, 100).toSorted((a, b) => a - b));
  expect((waits[1] ?? 0) - (waits[0] ?? 0)).toBeGreaterThan(1_000);
  expect(Math.max(...waits)).toBe(3_600_000);
});

test('five failures in a row pause an endpoint for its owner alone, and one probe decides how it goes on', () => {
  const { lanes, clock, fail } = start();
  fail();
  expect(lanes.enter('ann', url, false)).toEqual({ admitted: false, reason: 'paused' });
  admitted(lanes.enter('ann', url, true)).leave('failed');
  admitted(lanes.enter('bob', url, false)).leave('answered');
  admitted(lanes.enter('ann', 'https://other.example.com/', false)).leave('answered');
  clock.now += 30_000;
  const probe = admitted(lanes.enter('ann', url, false));
  expect(lanes.enter('ann', url, false)).toMatchObject({ reason: 'busy' });
  probe.leave('failed');
  clock.now += 59_999;
  expect(lanes.enter('ann', url, false)).toMatchObject({ reason: 'paused' });
  clock.now += 1;
  admitted(lanes.enter('ann', url, false)).leave('answered');
  admitted(lanes.enter('ann', url, false));
  admitted(lanes.enter('ann', url, false));
});

test('a success between failures keeps an endpoint open', () => {
  const { lanes, fail } = start();
  fail('ann', url, 4);
  admitted(lanes.enter('ann', url, false)).leave('answered');
  fail('ann', url, 4);
  expect(lanes.enter('ann', url, false).admitted).toBe(true);
});

test('an endpoint that fails for hours is asked every five minutes', () => {
  const { lanes, clock, fail } = start();
  fail();
  for (let i = 0; i < 10; i += 1) {
    clock.now += 300_000;
    admitted(lanes.enter('ann', url, false)).leave('failed');
  }
  clock.now += 299_999;
  expect(lanes.enter('ann', url, false)).toMatchObject({ reason: 'paused' });
});

test('endpoints without end do not take memory without end, and those in use are not forgotten', () => {
  const { lanes, clock } = start({ perEndpoint: 1 });
  admitted(lanes.enter('ann', url, false));
  for (let i = 0; i < 20_000; i += 1) {
    clock.now += 1;
    admitted(lanes.enter('bob', `https://h${i}.example.com/`, false)).leave('answered');
  }
  expect(lanes.size).toBeLessThanOrEqual(5_000);
  expect(lanes.enter('ann', url, false)).toMatchObject({ reason: 'busy' });
});
