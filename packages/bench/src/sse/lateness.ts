import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Answers how late the process itself was since it was last asked: the 99th percentile, ms. */
export interface LatenessAsk {
  readonly ask: 'lateness';
}

const everyMs = 10;

/** How late this process comes to what is due, the 99th percentile since the last call, ms: what it is itself to a measurement. */
export function watchLateness(): () => number {
  const delays = monitorEventLoopDelay({ resolution: everyMs });
  delays.enable();
  return () => {
    const lateMs = delays.percentile(99) / 1e6 - everyMs;
    delays.reset();
    return Math.max(0, lateMs);
  };
}
