import type { Redis } from 'ioredis';

/** What BullMQ calls in a transaction: it adds jobs and schedulers, and lets a parent go whose children have ended. */
const inTransactions = /^(?:add|release)|Scheduler/;

/**
 * Keeps the other scripts of a client, BullMQ's and ours, out of its transactions and pipelines: ioredis copies all of them
 * into each, which makes one dearer than its commands. Called on the client itself they are there as before.
 */
export function leanTransactions(redis: Redis): void {
  const { scriptsSet } = redis as unknown as { readonly scriptsSet: object };
  for (const name of Object.keys(scriptsSet)) {
    if (!inTransactions.test(name)) Object.defineProperty(scriptsSet, name, { enumerable: false });
  }
}
