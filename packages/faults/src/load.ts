import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';
import type { PatientClient } from './patient-client.ts';
import type { PhotoStock } from './photo-stock.ts';

export interface Load {
  /** Lets every user finish what it has begun, and nothing new begin. */
  stop(): Promise<void>;
}

/** A closed loop: each user sends, waits for the answer, thinks for a moment and sends again. */
export function startLoad(options: {
  ledger: Ledger;
  stock: PhotoStock;
  client: PatientClient;
  users: number;
  random: () => number;
}): Load {
  const { ledger, stock, client, users, random } = options;
  const stopping = new AbortController();
  const user = async () => {
    while (!stopping.signal.aborted) {
      await ledger.follow(await ledger.submit(client, await stock.next()));
      await delay(20 + random() * 80);
    }
  };
  const all = Promise.all(Array.from({ length: users }, user));
  // An abort ends the users before anybody awaits them.
  all.catch(() => undefined);
  return {
    async stop() {
      stopping.abort();
      await all;
    },
  };
}
