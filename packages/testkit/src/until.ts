import { setTimeout as delay } from 'node:timers/promises';

/** How long what must come is waited for, ms: for a machine that is slow and busy. Only what hangs takes so long. */
export const patienceMs = 420_000;

/** Resolves once the condition holds. @throws after `patienceMs`, with what was waited for. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`still not so after ${patienceMs} ms: ${condition.toString()}`);
    await delay(5);
  }
}
