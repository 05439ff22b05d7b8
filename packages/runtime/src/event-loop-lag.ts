import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

/**
 * How often the loop is looked at. prom-client looks every 10 ms, which wakes an idle process a hundred times a second, for
 * 5 ms of processor time.
 */
const everyMs = 100;
/** prom-client's own look cannot be left out of its default metrics, only be kept from ever coming. */
export const neverMs = 2 ** 31 - 1;

/** Tells how late timers of this process were since it was last asked, under prom-client's names and in its place. */
export function measureEventLoopLag(registry: Registry): void {
  const delays = monitorEventLoopDelay({ resolution: everyMs });
  delays.enable();
  // Each delay is the time between two looks, the pause that was meant to be included.
  const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - everyMs / 1000);
  const read = {
    min: ['The least delay of the event loop.', () => late(delays.count > 0 ? delays.min : 0)],
    max: ['The greatest delay of the event loop.', () => late(delays.max)],
    mean: ['The mean delay of the event loop.', () => late(delays.mean)],
    stddev: ['The standard deviation of the delays of the event loop.', () => delays.stddev / 1e9],
    p50: ['The 50th percentile of the delays of the event loop.', () => late(delays.percentile(50))],
    p90: ['The 90th percentile of the delays of the event loop.', () => late(delays.percentile(90))],
    p99: ['The 99th percentile of the delays of the event loop.', () => late(delays.percentile(99))],
  } as const;
  const gauges = Object.entries(read).map(([figure, [help, value]], i) => {
    const name = `nodejs_eventloop_lag_${figure}_seconds`;
    registry.removeSingleMetric(name);
    // The first that is collected reads all, so that they are of the same time.
    const collect = i === 0 ? { collect: readAll } : {};
    return { gauge: new Gauge({ name, help: `${help} Seconds.`, registers: [registry], ...collect }), value };
  });

  function readAll(): void {
    for (const { gauge, value } of gauges) gauge.set(value() || 0);
    delays.reset();
  }
}
