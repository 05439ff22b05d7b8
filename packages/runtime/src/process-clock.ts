import type { Redis } from 'ioredis';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface ProcessClock {
  /**
   * Measures how far this machine's clock is off Redis's, and corrects the process by it. Where the answer took too long to
   * tell, everything stays as it was. Rejects when Redis does not answer.
   */
  sync(redis: Pick<Redis, 'time'>): Promise<void>;
  /** Syncs now, whenever the connection is back, and every half a minute. @returns a function that ends that. */
  follow(redis: Redis): () => void;
  /** What is added to this machine's clock, ms. */
  readonly offsetMs: number;
}

/** Clocks that are kept by NTP differ by less, and a measurement by way of the network is no better. */
const toleranceMs = 500;
const syncEveryMs = 30_000;

/**
 * Puts the process on one clock with all others: Redis's. Deadlines, the times of delayed jobs and the turns of queues
 * are compared between machines, and BullMQ takes them from `Date.now` without a way to give it another clock; so that
 * is corrected where this machine's clock is wrong. Called before anything else keeps a reference to `Date.now`.
 */
export function installProcessClock({
  log,
  metrics,
}: {
  log: Logger;
  metrics: Pick<Metrics, 'clockOffset'>;
}): ProcessClock {
  const machineNow = Date.now.bind(Date);
  let offsetMs = 0;
  Date.now = () => machineNow() + offsetMs;

  async function sync(redis: Pick<Redis, 'time'>): Promise<void> {
    const askedAt = machineNow();
    const asked = performance.now();
    const [seconds = 0, microseconds = 0] = await redis.time();
    const tookMs = performance.now() - asked;
    if (tookMs > toleranceMs) return;
    const measured = Math.round(seconds * 1000 + microseconds / 1000 - (askedAt + tookMs / 2));
    const next = Math.abs(measured) > toleranceMs ? measured : 0;
    metrics.clockOffset.set(measured / 1000);
    if (Math.abs(next - offsetMs) > toleranceMs) {
      log.error("this machine's clock is off Redis's; the process goes by Redis's", { offset_ms: next });
    }
    offsetMs = next;
  }

  return {
    get offsetMs() {
      return offsetMs;
    },
    sync,
    follow(redis) {
      // Redis away is told by its connection; the next sync comes.
      const again = () => void sync(redis).catch(() => undefined);
      const timer = setInterval(again, syncEveryMs);
      timer.unref();
      redis.on('ready', again);
      if (redis.status === 'ready') again();
      return () => {
        clearInterval(timer);
        redis.off('ready', again);
      };
    },
  };
}
