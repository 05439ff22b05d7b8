import type { Logger, ProcessLife } from '@bunri/runtime';

/** Repeats `work` from now on, each time `intervalMs` after it began or when it ends, if that is later, until the process stops. */
export function refreshEvery(
  intervalMs: number,
  work: () => Promise<unknown>,
  { life, log }: { life: ProcessLife; log: Logger },
): void {
  let pending: Promise<void> | undefined;
  const once = async () => {
    try {
      await work();
    } catch (error) {
      log.warn('gauges could not be refreshed', { error });
    } finally {
      pending = undefined;
    }
  };
  const tick = () => {
    pending ??= once();
  };
  tick();
  const timer = setInterval(tick, intervalMs);
  life.onStop('gauges', async () => {
    clearInterval(timer);
    await pending;
  });
}
