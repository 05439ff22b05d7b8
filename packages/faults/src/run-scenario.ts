import { setTimeout as delay } from 'node:timers/promises';
import { failureCodes } from '@bunri/queue-contracts';
import { seededRandom, watchMachine, type MachineWatch } from '@bunri/testkit';
import { secondsToRecover, tally } from './accounting.ts';
import { audit } from './audit.ts';
import { createLedger } from './ledger.ts';
import { startLoad } from './load.ts';
import { createPatientClient } from './patient-client.ts';
import { createPhotoStock } from './photo-stock.ts';
import { brokenPromises, brokenRecovery } from './promises.ts';
import { startRig, type Rig, type RigOptions } from './rig.ts';
import type { Run, Scenario, ScenarioResult } from './scenario.ts';

const usualTimeoutMs = 420_000;
const usualUsers = 12;
const warmUpMs = 3_000;
/** How long a recovery is watched; more than it may take, so that the table can say how long it took. */
const watchedMs = 110_000;
/** Load goes on for a moment after the recovery, since a fault may come back. */
const afterMs = 2_000;

export interface RunOptions extends Pick<RigOptions, 'seed' | 'redisBinary' | 'path' | 'onLine'> {
  /** Aborted when the user wants to stop. */
  readonly stopping: AbortSignal;
}

/** Runs one scenario on a system of its own. Never rejects but for `stopping`: what went wrong is in the result. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<ScenarioResult> {
  const startedAt = performance.now();
  const timeoutMs = scenario.timeoutMs ?? usualTimeoutMs;
  const timeUp = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([options.stopping, timeUp]);
  const findings = { broken: [] as string[], notes: [] as string[] };
  const machine = await watchMachine();
  let rig: Rig | undefined;
  let result: Pick<ScenarioResult, 'tally' | 'recoveryS'> = { tally: null, recoveryS: null };
  try {
    rig = await startRig({ ...scenario.rig, ...options });
    result = await Promise.race([
      play(scenario, rig, { ...options, signal, findings, machine }),
      rejectOnAbort(signal),
    ]);
  } catch (error) {
    options.stopping.throwIfAborted();
    const why = timeUp.aborted ? `not over after ${timeoutMs / 1000} s` : describe(error);
    findings.broken.push(why);
  } finally {
    await rig?.stop();
    await machine.stop();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return { name: scenario.name, ok: findings.broken.length === 0, ...result, seconds, ...findings };
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

async function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

interface Findings {
  readonly broken: string[];
  readonly notes: string[];
}

async function play(
  scenario: Scenario,
  rig: Rig,
  { signal, findings, seed, machine }: RunOptions & { signal: AbortSignal; findings: Findings; machine: MachineWatch },
): Promise<Pick<ScenarioResult, 'tally' | 'recoveryS'>> {
  const { users = usualUsers, mayFail = [], mayForget = false, cutsOff = [] } = scenario;
  const clock: FaultClock = { moments: [], liftedAt: null };
  const run = createRun(rig, { signal, findings, seed, clock });
  await scenario.prepare?.(run);
  const load = startLoad({ ...run, users });
  if (users > 0) await run.pause(warmUpMs);
  await scenario.fault(run);
  const recoveryS = await watchRecovery(run, clock, machine);
  if (users > 0) await run.pause(afterMs);
  await load.stop();
  const observed = await audit(run.ledger.entries, { records: rig.records, signal });
  const calls = rig.simulator.calls();
  const result = tally(observed, { calls, moments: clock.moments, cutsOff }, failureCodes);
  findings.broken.push(...brokenPromises(result, { mayFail, mayForget }));
  if (clock.liftedAt !== null) findings.broken.push(...brokenRecovery(recoveryS));
  findings.broken.push(...refusals(run, mayForget));
  scenario.check?.(run, { observed, calls });
  return { tally: result, recoveryS };
}

interface FaultClock {
  readonly moments: number[];
  liftedAt: number | null;
}

function createRun(
  rig: Rig,
  { signal, findings, seed, clock }: { signal: AbortSignal; findings: Findings; seed: number; clock: FaultClock },
): Run {
  const newClient: Run['newClient'] = (more = {}) => createPatientClient({ apiUrl: rig.api.url, signal, ...more });
  const pause = async (ms: number) => await delay(ms, undefined, { signal });
  return {
    rig,
    ledger: createLedger(),
    client: newClient(),
    newClient,
    stock: createPhotoStock(seed),
    random: seededRandom(seed),
    signal,
    strikes: (at = Date.now()) => void clock.moments.push(at),
    lifted: () => void (clock.liftedAt = Date.now()),
    pause,
    async until(what, condition, withinMs) {
      const giveUpAt = performance.now() + withinMs;
      while (!(await condition())) {
        if (performance.now() > giveUpAt) throw new Error(`${what}: not within ${withinMs} ms`);
        await pause(20);
      }
    },
    note: (text) => void findings.notes.push(text),
    broken: (text) => void findings.broken.push(text),
  };
}

/**
 * Waits for the recovery, and gives how many seconds of it the machine ran; null where there is none to wait for, or it does
 * not come.
 */
async function watchRecovery(
  { ledger, note, pause }: Run,
  { liftedAt }: FaultClock,
  machine: MachineWatch,
): Promise<number | null> {
  if (liftedAt === null) return null;
  const giveUpAt = Date.now() + watchedMs;
  for (;;) {
    const seen = ledger.entries.flatMap(({ accepted, ...entry }) =>
      accepted === null ? [] : [{ ...entry, acceptedAt: accepted.at }],
    );
    const seconds = secondsToRecover(seen, liftedAt);
    if (seconds !== null) {
      const ran = (await machine.ranMs(liftedAt, liftedAt + seconds * 1000)) / 1000;
      if (ran < seconds)
        note(`recovered after ${seconds.toFixed(1)} s, in which the machine ran for ${ran.toFixed(1)} s`);
      return ran;
    }
    if (Date.now() > giveUpAt) return null;
    await pause(50);
  }
}

/** A patient client that was sent away for another reason than a request that is known to be forgotten. */
function refusals({ ledger }: Run, mayForget: boolean): string[] {
  const troubles = ledger.entries.flatMap(({ trouble }) => (trouble === null ? [] : [trouble]));
  const unexpected = troubles.filter(({ status }) => !(mayForget && status === 410));
  if (unexpected.length === 0) return [];
  const words = [...new Set(unexpected.map(({ text }) => text))].slice(0, 3).join('; ');
  return [`${unexpected.length} clients were turned away: ${words}`];
}
