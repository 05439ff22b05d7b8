import { readMetric } from '../metrics-reader.ts';
import type { Run, Scenario } from '../scenario.ts';

const skewMs = 5 * 60_000;
const holdMs = 15_000;
const longestMs = 45_000;

/**
 * Loaded before the app: from then on the machine's clock is wrong by so much for the process. What the process itself
 * does about its clock, by putting another function in the place of `Date.now`, holds as it would on such a machine.
 */
function clockPreload(ms: number): string {
  const source = `
    const machineNow = Date.now.bind(Date);
    const now = () => machineNow() + (${ms});
    Date.now = now;
    globalThis.Date = new Proxy(Date, {
      construct: (target, args, self) => Reflect.construct(target, args.length > 0 ? args : [now()], self),
      apply: (target) => new target(now()).toString(),
    });`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** Retries, pauses and shared work all put jobs off to a time of day: each of them is made to happen. */
async function disturb({ rig: { simulator }, ledger, client, stock, pause }: Run): Promise<void> {
  simulator.setFaults([
    { fault: 'server_error', times: 12, probability: 0.15 },
    { fault: 'rate_limit', retryAfterMs: 800, times: 4, probability: 0.1 },
  ]);
  const same = await stock.next();
  const twins = Array.from({ length: 12 }, async (_, i) => {
    const entry = await ledger.submit(client, { ...same, key: `${same.key}-${i}` });
    await ledger.follow(entry);
  });
  await Promise.all([pause(holdMs), ...twins]);
  simulator.setFaults([]);
}

function skewed(name: string, ms: number): Scenario {
  let replica: { readonly url?: string } | undefined;
  return {
    name,
    says: `the clock of one of two vision workers is ${Math.abs(ms) / 60_000} minutes ${ms > 0 ? 'ahead' : 'behind'}`,
    async prepare({ rig: { system } }) {
      replica = await system.addReplica('vision-worker', { nodeArgs: ['--import', clockPreload(ms)] });
    },
    async fault(run) {
      await disturb(run);
      const origin = replica?.url ?? '';
      const runs = await readMetric(origin, 'bunri_stage_runs_total');
      const startedAt = await readMetric(origin, 'process_start_time_seconds');
      run.note(`the worker with the wrong clock ran ${runs} jobs`);
      if (runs === 0) run.broken('the worker with the wrong clock did nothing, so that nothing was shown');
      if (Math.abs(startedAt * 1000 - Date.now()) < skewMs / 2) run.broken('its clock was right');
    },
    check({ broken, note }, { observed }) {
      const waits = observed.map(({ acceptedAt, endedAt }) => (endedAt ?? Infinity) - acceptedAt);
      const longest = Math.max(...waits);
      note(`the slowest answer took ${(longest / 1000).toFixed(1)} s`);
      if (longest > longestMs) broken(`an answer took more than ${longestMs / 1000} s`);
    },
  };
}

export const clockSkews: readonly Scenario[] = [skewed('clock-skew', skewMs), skewed('clock-skew-behind', -skewMs)];
