import { afterEach, expect, test } from '@jest/globals';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { installProcessClock } from './process-clock.ts';

const machineNow = Date.now;
afterEach(() => {
  Date.now = machineNow;
});

const log = createLogger({ app: 'test', level: 'error', silent: true });
const metrics = createMetrics({ app: 'test', processMetrics: false });

/** A Redis whose clock is so many ms ahead. */
function redisAhead(ms: number) {
  return {
    time: async () => {
      const at = machineNow() + ms;
      return await Promise.resolve([Math.floor(at / 1000), (at % 1000) * 1000]);
    },
  };
}

test.each([300_000, -300_000])('a machine whose clock is %i ms off goes by the clock of Redis', async (off) => {
  const clock = installProcessClock({ log, metrics });
  await clock.sync(redisAhead(off));
  expect(Math.abs(Date.now() - machineNow() - off)).toBeLessThan(50);
  // Corrected once, it is not corrected again; and a clock that was put right is left alone.
  await clock.sync(redisAhead(off));
  expect(Math.abs(clock.offsetMs - off)).toBeLessThan(50);
  await clock.sync(redisAhead(0));
  expect(clock.offsetMs).toBe(0);
});

test('a clock that is right within half a second is left alone', async () => {
  const clock = installProcessClock({ log, metrics });
  await clock.sync(redisAhead(400));
  expect(clock.offsetMs).toBe(0);
});

test('an answer that took long tells nothing, and changes nothing', async () => {
  const clock = installProcessClock({ log, metrics });
  await clock.sync(redisAhead(5_000));
  const slow = {
    time: async () => {
      const answer = await redisAhead(60_000).time();
      const until = performance.now() + 600;
      while (performance.now() < until);
      return answer;
    },
  };
  await clock.sync(slow);
  expect(Math.abs(clock.offsetMs - 5_000)).toBeLessThan(50);
});
