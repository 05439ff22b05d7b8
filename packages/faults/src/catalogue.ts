import type { Scenario } from './scenario.ts';
import { cancelAndDeadline } from './scenarios/cancel-and-deadline.ts';
import { clockSkews } from './scenarios/clock-skew.ts';
import { crowds } from './scenarios/crowds.ts';
import { fairness } from './scenarios/fairness.ts';
import { kills } from './scenarios/kills.ts';
import { modelFaults } from './scenarios/model.ts';
import { redisFaults } from './scenarios/redis.ts';
import { rollingRestart } from './scenarios/rolling-restart.ts';
import { s3Faults } from './scenarios/s3.ts';
import { blockedEventLoop, partitionedWorker, sigstopWorker } from './scenarios/stalls.ts';
import { twoSchedulers } from './scenarios/two-schedulers.ts';

/** Every scenario, in the order in which they run. Their names are for people's scripts: they stay. */
export const scenarios: readonly Scenario[] = [
  ...kills,
  rollingRestart,
  sigstopWorker,
  blockedEventLoop,
  partitionedWorker,
  ...redisFaults,
  ...s3Faults,
  ...modelFaults,
  ...clockSkews,
  ...crowds,
  cancelAndDeadline,
  fairness,
  twoSchedulers,
];

/** @throws when a name is not that of a scenario. */
export function scenariosNamed(names: readonly string[]): readonly Scenario[] {
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Error(`No such scenario: ${unknown.join(', ')}. "--list" shows all there are.`);
  return names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name));
}
