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

/** What was paid before the call failed; undefined where nothing was, or nothing is known of it. */
export function paidBefore(error: unknown): PaidFor | undefined {
  return error instanceof Error ? paidFor.get(error) : undefined;
}
