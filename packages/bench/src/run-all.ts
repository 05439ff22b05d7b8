import type { BenchOptions, Report, Scenario } from './scenario.ts';

export interface Outcomes {
  /** By the name of the scenario. */
  readonly reports: ReadonlyMap<string, Report>;
  readonly failures: ReadonlyMap<string, unknown>;
}

/** Runs one after the other. One that throws is a failure, and takes nothing away from the others. */
export async function runAll(wanted: readonly Scenario[], options: BenchOptions): Promise<Outcomes> {
  const reports = new Map<string, Report>();
  const failures = new Map<string, unknown>();
  for (const scenario of wanted) {
    const { name, summary } = scenario;
    const say = (line: string) => options.say(`${name}: ${line}`);
    say(summary);
    try {
      reports.set(name, await scenario.run({ ...options, say }));
    } catch (error) {
      say('failed');
      failures.set(name, error);
    }
  }
  return { reports, failures };
}
