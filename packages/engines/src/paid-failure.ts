import type { Engine } from '@bunri/queue-contracts';
import type { TokenCount } from './engine.ts';

export interface PaidFor {
  readonly tokens: TokenCount;
  readonly engine: Engine;
}

const paidFor = new WeakMap<object, PaidFor>();

/** Notes what an answer cost that is refused with `error`: the provider counts it all the same. */
export function notePaid(error: unknown, paid: PaidFor): void {
  if (error instanceof Error) paidFor.set(error, paid);
}

const perhapsPaidFor = new WeakSet<object>();

/** Notes that the model was at work when the call failed with `error`: the provider may count what nobody has told. */
export function notePerhapsPaid(error: unknown): void {
  if (error instanceof Error) perhapsPaidFor.add(error);
}

export function perhapsPaid(error: unknown): boolean {
  return error instanceof Error && perhapsPaidFor.has(error);
}

/** What was paid before the call failed; undefined where nothing was, or nothing is known of it. */
export function paidBefore(error: unknown): PaidFor | undefined {
  return error instanceof Error ? paidFor.get(error) : undefined;
}
