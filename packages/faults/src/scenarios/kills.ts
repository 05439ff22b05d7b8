import { appNames, type AppName } from '@bunri/cli/system';
import type { CallKind } from '@bunri/testkit';
import type { Run, Scenario } from '../scenario.ts';

/** The calls that a process has in flight end with it. */
const callsOf: Partial<Record<AppName, CallKind>> = { 'vision-worker': 'vision', 'llm-worker': 'answer' };

const workers = appNames.filter((app) => app.endsWith('-worker'));

async function killAndRestart({ rig: { system } }: Run, apps: readonly AppName[]): Promise<void> {
  for (const app of apps) process.kill(system.apps.get(app)?.pid ?? Number.NaN, 'SIGKILL');
  await Promise.all(apps.map(async (app) => await system.apps.get(app)?.exited));
  await Promise.all(apps.map(async (app) => await system.restart(app)));
}

function kill(name: string, apps: readonly AppName[]): Scenario {
  return {
    name,
    says: `kill -9 of ${apps.join(', ')} under load, restarted at once`,
    cutsOff: apps.flatMap((app) => callsOf[app] ?? []),
    async fault(run) {
      run.strikes();
      run.lifted();
      await killAndRestart(run, apps);
    },
  };
}

const blows = 12;
const betweenMs = 2_000;

/** Drawn among those that are up: one that is being started again cannot be killed by its old process id. */
const storm: Scenario = {
  name: 'kill-storm',
  says: `every ${betweenMs / 1000} s another app, drawn by lot, is killed, ${blows} times`,
  cutsOff: ['vision', 'answer'],
  async fault(run) {
    const up = new Set(appNames);
    const restarts: Promise<void>[] = [];
    for (let blow = 0; blow < blows; blow += 1) {
      const app = [...up][Math.floor(run.random() * up.size)];
      if (app) {
        run.strikes();
        run.lifted();
        up.delete(app);
        const restart = killAndRestart(run, [app]).then(() => void up.add(app));
        // Told at the end: the storm goes on.
        restart.catch(() => undefined);
        restarts.push(restart);
      }
      await run.pause(betweenMs);
    }
    await Promise.all(restarts);
  },
};

export const kills: readonly Scenario[] = [
  kill('kill-api', ['api']),
  kill('kill-preprocess', ['preprocess-worker']),
  kill('kill-vision', ['vision-worker']),
  kill('kill-rag', ['rag-worker']),
  kill('kill-llm', ['llm-worker']),
  kill('kill-scheduler', ['scheduler']),
  kill('kill-all-workers', workers),
  storm,
];
