import { readMetric } from '../metrics-reader.ts';
import type { Scenario } from '../scenario.ts';

const minuteMs = 60_000;
const ticks = 2;
/** Tasks that are due each minute. */
const tasks = ['health_check', 'sweep'] as const;

export const twoSchedulers: Scenario = {
  name: 'two-schedulers',
  says: `two scheduler processes at once for ${ticks} minutes: what is due each minute happens once`,
  users: 3,
  async fault({ rig: { system }, pause, until, note, broken }) {
    const second = await system.addReplica('scheduler');
    const origins = [system.probes.get('scheduler') ?? '', second.url ?? ''];
    const runs = async (task: string) => {
      const each = await Promise.all(
        origins.map(async (origin) => await readMetric(origin, 'bunri_schedule_runs_total', { task })),
      );
      return each.reduce((sum, n) => sum + n, 0);
    };
    // Not beside the turn of a minute, where it would be unclear on which side a run was counted.
    await until(
      'the middle of a minute',
      () => Date.now() % minuteMs > 8_000 && Date.now() % minuteMs < 55_000,
      20_000,
    );
    const before = await Promise.all(tasks.map(runs));
    const lastTick = (Math.floor(Date.now() / minuteMs) + ticks) * minuteMs;
    await pause(lastTick + 8_000 - Date.now());
    const after = await Promise.all(tasks.map(runs));
    for (const [i, task] of tasks.entries()) {
      const count = (after[i] ?? 0) - (before[i] ?? 0);
      note(`${task}: ${count} runs at ${ticks} ticks`);
      if (count !== ticks) broken(`${task} ran ${count} times at ${ticks} ticks`);
    }
  },
};
