import { createHash } from 'node:crypto';
import type { ToldEvent } from './accounting.ts';
import { GaveUp, Refused, type PatientClient, type Submission } from './patient-client.ts';

/** What one client knows of one thing that it sent. Times are epoch milliseconds. */
export interface LedgerEntry {
  readonly submission: Submission;
  readonly client: PatientClient;
  readonly work: string;
  readonly submittedAt: number;
  /** Null while the api has given no id. */
  accepted: { readonly id: string; readonly at: number; readonly deadlineAt: number } | null;
  endedAt: number | null;
  readonly live: ToldEvent[];
  /** Why the client stopped before it saw the end; the status is null where no answer came at all. */
  trouble: { readonly status: number | null; readonly text: string } | null;
  /** Not to be waited for: its deadline is beyond the time of the scenario. */
  readonly leftOpen: boolean;
}

export type Ledger = ReturnType<typeof createLedger>;

/** The clients' memory: what was sent, what was promised, and what was seen. */
export function createLedger() {
  const entries: LedgerEntry[] = [];

  function open(client: PatientClient, submission: Submission, leftOpen: boolean): LedgerEntry {
    const { photo, question } = submission;
    const work = createHash('sha256').update(photo).update('\0').update(question).digest('hex');
    const entry: LedgerEntry = {
      submission,
      client,
      work,
      submittedAt: Date.now(),
      accepted: null,
      endedAt: null,
      live: [],
      trouble: null,
      leftOpen,
    };
    entries.push(entry);
    return entry;
  }

  /** Trouble of one client is written down; the others go on. An abort, and what no service can say, is thrown. */
  async function noting(entry: LedgerEntry, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Refused || error instanceof GaveUp)) throw error;
      entry.trouble = { status: error instanceof Refused ? error.status : null, text: error.message };
      // A request that is known to be forgotten has ended for its client.
      if (entry.trouble.status === 410) entry.endedAt = Date.now();
    }
  }

  return {
    entries: entries as readonly LedgerEntry[],

    /** Sends until there is an id. */
    async submit(client: PatientClient, submission: Submission, leftOpen = false): Promise<LedgerEntry> {
      const entry = open(client, submission, leftOpen);
      await noting(entry, async () => {
        const resource = await client.submit(submission);
        entry.accepted = { id: resource.id, at: Date.now(), deadlineAt: Date.parse(resource.deadline_at) };
      });
      return entry;
    },

    /** Follows an accepted request to its end. */
    async follow(entry: LedgerEntry): Promise<void> {
      const { accepted } = entry;
      if (accepted === null) return;
      await noting(entry, async () => {
        await entry.client.follow(accepted.id, (event) => entry.live.push(event));
        entry.endedAt = Date.now();
      });
    },
  };
}
