import { failure, isTerminal, requestIdSchema } from '@bunri/queue-contracts';
import type { RecordStore, RequestRecord } from '@bunri/runtime';
import { Problem } from './problem.ts';

export type RecordReader = ReturnType<typeof createRecordReader>;

/** The answer to whoever asks for a request that the store knew once and has lost. */
export function requestLost(): Problem {
  const detail =
    'The store of the service was reset, and this request was lost with it. Send it again; nothing will come of the old one.';
  return new Problem('request_lost', detail);
}

/** When an id was given out, epoch ms: the first 48 bits of a UUID v7 (RFC 9562); null for what is no id of ours. */
function idTime(id: string): number | null {
  const [, time] = /^req_([0-9a-f]{12})7[0-9a-f]{3}[89ab][0-9a-f]{15}$/.exec(id) ?? [];
  return time === undefined ? null : Number.parseInt(time, 16);
}

/** Reads records for clients: none of another owner, and none that is open past its deadline, as it is closed first. */
export function createRecordReader({ records, now }: { records: RecordStore; now: () => number }) {
  async function read(id: string): Promise<RequestRecord | null> {
    const record = await records.get(id);
    if (!record || isTerminal(record.status) || now() < record.request.deadlineAt) return record;
    const message =
      'The answer was not ready before the deadline. Send the request again, with a later deadline if it may wait.';
    await records.fail(id, failure('deadline_exceeded', message), { overdue: true });
    return await records.get(id);
  }

  /** A request from before this store cannot be told from one that never was, nor whose it was: every owner hears the same. */
  async function wasLost(id: string): Promise<boolean> {
    const time = idTime(id);
    return time !== null && time < (await records.lostBefore());
  }

  return {
    read,

    /** @throws Problem `request_lost`; `not_found`, for another owner's request too: its existence is not told. */
    async readOwned(id: string, owner: string): Promise<RequestRecord> {
      const record = requestIdSchema.safeParse(id).success ? await read(id) : null;
      if (record?.request.owner === owner) return record;
      if (!record && (await wasLost(id))) throw requestLost();
      throw new Problem('not_found', 'There is no such request, or it is past its retention. Check the id.');
    },
  };
}

/** When to look again at an open request. Timers may fire a millisecond before the clock shows their time. */
export function msUntilOverdue(deadlineAt: number, now: number): number {
  return Math.max(0, deadlineAt - now) + 5;
}
