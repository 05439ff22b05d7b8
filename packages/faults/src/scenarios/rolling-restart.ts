import { appNames } from '@bunri/cli/system';
import { portOf } from '../rig.ts';
import type { Observed } from '../accounting.ts';
import type { Run, Scenario } from '../scenario.ts';

/** Answers that must have come through the new process before the next one is replaced. */
const between = 8;

async function replaceAll({ rig: { system, api }, ledger, strikes, until, broken }: Run): Promise<void> {
  for (const app of appNames.toReversed()) {
    const replica = await system.addReplica(app);
    if (app === 'api') api.proxy.retarget(portOf(replica.url ?? ''));
    strikes();
    const exit = await system.apps.get(app)?.stop('SIGTERM', 40_000);
    if (exit?.code !== 0) broken(`${app} ended with ${exit?.signal ?? `code ${exit?.code}`}`);
    const ended = () => ledger.entries.filter(({ endedAt }) => endedAt !== null).length;
    const before = ended();
    await until(`${between} answers after ${app} was replaced`, () => ended() >= before + between, 30_000);
  }
}

function spentAttempts(observed: readonly Observed[]): string[] {
  return observed
    .filter(
      ({ attempts, live, streams }) =>
        Object.values(attempts).some((n) => n > 1) ||
        [live, ...streams].flat().some(({ type }) => type === 'stage.retrying'),
    )
    .map(({ id }) => id);
}

export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  says: 'every app is replaced under load: the new process first, then SIGTERM for the old one',
  async fault(run) {
    await replaceAll(run);
    run.lifted();
  },
  check({ broken }, { observed }) {
    const spent = spentAttempts(observed);
    if (spent.length > 0) broken(`${spent.length} requests spent an attempt, as ${spent[0]}`);
  },
};
