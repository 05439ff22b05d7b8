import { readRestlessly } from '../restless-reader.ts';
import type { LedgerEntry } from '../ledger.ts';
import type { Run, Scenario } from '../scenario.ts';

const twins = 200;
const connections = 50;
const reconnects = 50;

const identicalPhotos: Scenario = {
  name: 'identical-photos',
  says: `${twins} people send the same photo and question at once: one call of each model answers all`,
  users: 0,
  async fault({ ledger, client, stock }) {
    const same = await stock.next();
    await Promise.all(
      Array.from({ length: twins }, async (_, i) => {
        await ledger.follow(await ledger.submit(client, { ...same, key: `${same.key}-${i}` }));
      }),
    );
  },
  check({ broken }, { observed, calls }) {
    if (observed.length !== twins) broken(`${observed.length} of ${twins} were accepted`);
    for (const kind of ['vision', 'answer']) {
      const made = calls.filter((call) => call.kind === kind).length;
      if (made !== 1) broken(`${made} ${kind} calls, where one was needed`);
    }
  },
};

const sameKey: Scenario = {
  name: 'same-idempotency-key',
  says: `${connections} connections send the same thing with one idempotency key at once: it is one request`,
  users: 0,
  async fault({ ledger, client, stock, broken }) {
    const same = await stock.next();
    const entries = await Promise.all(
      Array.from({ length: connections }, async () => {
        const entry = await ledger.submit(client, same);
        await ledger.follow(entry);
        return entry;
      }),
    );
    const ids = new Set(entries.map(({ accepted }) => accepted?.id ?? 'none'));
    if (ids.size !== 1) broken(`${ids.size} ids for one key`);
  },
};

async function followRestlessly(run: Run, entry: LedgerEntry): Promise<void> {
  const { rig, random, signal, note, broken } = run;
  if (entry.accepted === null) return;
  const { id } = entry.accepted;
  const url = `${rig.api.url}/v1/classifications/${id}/events`;
  const count = await readRestlessly(url, { random, signal, onEvent: (event) => entry.live.push(event) });
  entry.endedAt = Date.now();
  note(`${count} connections for ${entry.live.length} events`);
  if (count < reconnects) broken(`only ${count} connections, where ${reconnects} were to be shown`);
}

const sseReconnect: Scenario = {
  name: 'sse-reconnect',
  says: `clients reconnect ${reconnects} times and more to requests in progress: every event once, in order`,
  rig: { latency: { vision: [25_000, 27_000], answer: [25_000, 27_000] } },
  users: 0,
  async fault(run) {
    const { ledger, client, stock } = run;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        await followRestlessly(run, await ledger.submit(client, await stock.next()));
      }),
    );
  },
};

export const crowds: readonly Scenario[] = [identicalPhotos, sameKey, sseReconnect];
