import type { FailureCode } from '@bunri/queue-contracts';
import type { CallKind, CallLogEntry } from '@bunri/testkit';
import type { Observed, Tally } from './accounting.ts';
import type { Ledger } from './ledger.ts';
import type { ClientOptions, PatientClient } from './patient-client.ts';
import type { PhotoStock } from './photo-stock.ts';
import type { Rig, RigOptions } from './rig.ts';

/** What a scenario has in its hands while it runs. */
export interface Run {
  readonly rig: Rig;
  readonly ledger: Ledger;
  readonly client: PatientClient;
  /** Another client, as with other credentials. */
  readonly newClient: (options?: Pick<ClientOptions, 'apiKey'>) => PatientClient;
  readonly stock: PhotoStock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** The fault strikes now, or struck at the given epoch ms. May be called for each of several blows. */
  readonly strikes: (at?: number) => void;
  /** The fault is over now; from here the recovery is timed. */
  readonly lifted: () => void;
  readonly pause: (ms: number) => Promise<void>;
  /** Resolves once the condition holds. @throws when that takes longer than `withinMs`. */
  readonly until: (what: string, condition: () => boolean | Promise<boolean>, withinMs: number) => Promise<void>;
  /** A figure that the report shows beside the table. */
  readonly note: (text: string) => void;
  /** A promise of this scenario alone that was not kept. */
  readonly broken: (text: string) => void;
}

export interface Scenario {
  readonly name: string;
  /** What happens, in one line. */
  readonly says: string;
  readonly rig?: Pick<RigOptions, 'appendOnly' | 'latency' | 'env'>;
  /** Users in closed loop around the fault; with 0 the scenario sends what it needs. Default 12. */
  readonly users?: number;
  /** Codes with which requests may fail. Default none. */
  readonly mayFail?: readonly FailureCode[];
  /** Whether requests may end with 410. Default false. */
  readonly mayForget?: boolean;
  /** Kinds of model calls that the fault cuts off, so that they may have to be made again. Default none. */
  readonly cutsOff?: readonly CallKind[];
  /** Before the load begins. */
  readonly prepare?: (run: Run) => Promise<void>;
  /** The fault, from its first blow to its end. */
  readonly fault: (run: Run) => Promise<void>;
  /** Looks at the result for what only this scenario promises. */
  readonly check?: (run: Run, result: { observed: readonly Observed[]; calls: readonly CallLogEntry[] }) => void;
  /** Everything is stopped after that, and the scenario has failed. Default 420,000. */
  readonly timeoutMs?: number;
}

export interface ScenarioResult {
  readonly name: string;
  readonly ok: boolean;
  readonly tally: Tally | null;
  /** Null where the scenario has no recovery to time. */
  readonly recoveryS: number | null;
  /** Of the whole scenario, its start and audit included. */
  readonly seconds: number;
  readonly broken: readonly string[];
  readonly notes: readonly string[];
}
