import { setTimeout as delay } from 'node:timers/promises';
import { isTerminal, type Resource } from '@bunri/queue-contracts';
import type { RecordStore } from '@bunri/runtime';
import type { Ending, Observed, ToldEvent } from './accounting.ts';
import type { LedgerEntry } from './ledger.ts';
import { Refused } from './patient-client.ts';

/** How long after its deadline a request may still be open: the sweeper comes every minute. */
const sweepMs = 75_000;
const atOnce = 8;

/**
 * Asks for every accepted request once more, by the api and in the store, and waits for those that may still end.
 * Whatever a client has been promised is found here, or found missing.
 */
export async function audit(
  entries: readonly LedgerEntry[],
  { records, signal }: { records: Pick<RecordStore, 'events'>; signal: AbortSignal },
): Promise<Observed[]> {
  const left = Map.groupBy(
    entries.filter(({ accepted }) => accepted !== null),
    ({ accepted }) => accepted?.id,
  ).values();
  const observed: Observed[] = [];
  const auditor = async () => {
    for (const [entry, ...others] of left) {
      if (entry) observed.push(await examine(entry, others, { records, signal }));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, auditor));
  return observed;
}

/** `others` followed the same request: what they were told is held against the same measure. */
async function examine(
  entry: LedgerEntry,
  others: readonly LedgerEntry[],
  { records, signal }: { records: Pick<RecordStore, 'events'>; signal: AbortSignal },
): Promise<Observed> {
  const { submission, work, submittedAt, accepted, endedAt, live } = entry;
  if (accepted === null) throw new Error('only an accepted request can be examined');
  const { id } = accepted;
  const { ending, resource } = await endingOf(entry, id, accepted.deadlineAt, signal);
  const streams = resource && ending.kind !== 'open' ? await readStreams(entry, id, records) : [];
  return {
    id,
    key: submission.key,
    work,
    submittedAt,
    acceptedAt: accepted.at,
    endedAt,
    ending,
    live,
    streams: [...streams, ...others.filter((other) => other.endedAt !== null).map((other) => other.live)],
    finished: resource?.stages.filter(({ status }) => status === 'completed').map(({ name }) => name) ?? [],
    byRules: resource?.stages.filter(({ engine }) => engine?.provider === 'rules').map(({ name }) => name) ?? [],
    attempts: Object.fromEntries(resource?.stages.map(({ name, attempts }) => [name, attempts]) ?? []),
  };
}

async function endingOf(
  { client, leftOpen }: LedgerEntry,
  id: string,
  deadlineAt: number,
  signal: AbortSignal,
): Promise<{ ending: Ending; resource: Resource | null }> {
  for (;;) {
    let resource: Resource;
    try {
      resource = await client.get(id);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const ending: Ending = error.status === 410 ? { kind: 'gone', code: error.code } : { kind: 'unknown' };
      return { ending, resource: null };
    }
    if (isTerminal(resource.status)) return { ending: terminalEnding(resource), resource };
    const overdue = Date.now() > deadlineAt + sweepMs;
    if (overdue || leftOpen) return { ending: { kind: 'open', overdue }, resource };
    await delay(500, undefined, { signal });
  }
}

function terminalEnding({ status, error }: Resource): Ending {
  if (status === 'failed') return { kind: 'failed', code: error?.code ?? '' };
  return { kind: status === 'canceled' ? 'canceled' : 'completed' };
}

async function readStreams(
  { client }: LedgerEntry,
  id: string,
  records: Pick<RecordStore, 'events'>,
): Promise<ToldEvent[][]> {
  const told: ToldEvent[] = [];
  await client.follow(id, (event) => told.push(event));
  const stored = (await records.events(id, 0)).map(({ seq, type, data }) => ({
    seq,
    type,
    stage: typeof data['stage'] === 'string' ? data['stage'] : null,
  }));
  return [told, stored];
}
