import type { AuditEntry, Operator } from '@bunri/runtime';
import type { CommandIo } from './command.ts';

/** What an action did, for the audit. */
export interface Acted<Result> {
  readonly result: Result;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * Does something and keeps it in the audit, failures too. With `announced` the audit has it before it begins, so that what
 * destroys is known even where this process dies in it.
 */
export async function audited<Result>(
  { audit }: Operator,
  io: CommandIo,
  { announced = false, ...what }: Pick<AuditEntry, 'action' | 'target'> & { announced?: boolean },
  act: () => Promise<Acted<Result>>,
): Promise<Result> {
  const keep = async (outcome: AuditEntry['outcome'], facts?: Acted<Result>['facts']) => {
    const kept = await audit.record({ actor: io.actor, ...what, outcome, ...(facts ? { facts } : {}) });
    if (!kept) io.err('bunri: this could not be kept in the audit');
  };
  if (announced) await keep('begun');
  let acted: Acted<Result>;
  try {
    acted = await act();
  } catch (error) {
    await keep('failed', { error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
  await keep('done', acted.facts);
  return acted.result;
}

/** A question that only yes agrees to. @throws Error where nobody is there to be asked. */
export async function confirmed(io: CommandIo, question: string): Promise<boolean> {
  if (!io.ask) throw nobodyThere();
  return /^y(es)?$/i.test((await io.ask(`${question} [y/N]`)).trim());
}

export function nobodyThere(how = '--yes'): Error {
  return new Error(`there is no terminal to ask on; add ${how} if it is meant`);
}
