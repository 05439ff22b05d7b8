import { failure, isTerminal, requestIdSchema } from '@bunri/queue-contracts';
import type { RecordStore, RequestRecord } from '@bunri/runtime';
import { Problem } from './problem.ts';

export type RecordReader = ReturnType<typeof createRecordReader>;

/** Reads records for clients: none of another owner, and none that is open past its deadline, as it is closed first. */
export function createRecordReader({ records, now }: { records: RecordStore; now: () => number }) {
  async function read(id: string): Promise<RequestRecord | null> {
    const record = await records.get(id);
    if (!record || isTerminal(record.status) || now() < record.request.deadlineAt) return record;
    const message =
      'The answer was not ready before the deadline. Send the request again, with a later deadline if it may wait.';
    await records.fail(id, failure('deadline_exceeded', message));
    return await records.get(id);
  }

  return {
    read,

    /** @throws Problem `not_found`, for another owner's request too: its existence is not told. */
    async readOwned(id: string, owner: string): Promise<RequestRecord> {
      const record = requestIdSchema.safeParse(id).success ? await read(id) : null;
      if (record?.request.owner === owner) return record;
      throw new Problem('not_found', 'There is no such request, or it is past its retention. Check the id.');
    },
  };
}

/** When to look again at an open request. Timers may fire a millisecond before the clock shows their time. */
export function msUntilOverdue(deadlineAt: number, now: number): number {
  return Math.max(0, deadlineAt - now) + 5;
}
