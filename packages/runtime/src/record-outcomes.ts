import type { Request, RequestStatus, StageName } from '@bunri/queue-contracts';

/** What became of a new request. */
export interface Acceptance {
  readonly outcome: 'accepted' | 'existing' | 'conflict' | 'unstored' | 'known';
  readonly id: string;
  readonly turn: number;
  readonly before: readonly number[] | null;
  /** Whether its flow was added with it. */
  readonly queued: boolean;
}

/** Why a transition changed nothing: the record is gone, the request is closed, or a later run holds the stage. */
export type Refused = { outcome: 'gone' } | { outcome: 'closed'; status: RequestStatus } | { outcome: 'fenced' };

export type StartResult =
  | {
      outcome: 'started';
      attempt: number;
      readyAt: number;
      /** Runs of this stage that ended without a word. */
      lost: number;
      request: Request;
      outputs: Partial<Record<StageName, unknown>>;
    }
  | { outcome: 'gone' }
  | { outcome: 'closed'; status: RequestStatus }
  /** An earlier run finished the stage and died before its job did. */
  | { outcome: 'done' }
  /** The deadline has passed. */
  | { outcome: 'late' }
  /** The job belongs to an earlier generation of the request. */
  | { outcome: 'void' }
  /** Whoever starts it dies: as many runs were lost as may be. */
  | { outcome: 'worn' }
  /** It may be what kills workers, and the process runs such a one already. */
  | { outcome: 'isolated' };

/** The reply of a script that either makes one change or says why it made none. */
export function changed<Outcome extends string>(reply: string[], outcome: Outcome): { outcome: Outcome } | Refused {
  const first = oneOf(reply[0], [outcome, 'gone', 'closed', 'fenced'] as const);
  if (first === 'closed') return { outcome: 'closed', status: reply[1] as RequestStatus };
  return { outcome: first } as { outcome: Outcome } | Refused;
}

/** @throws when a script answered with a word that is not expected. */
export function oneOf<const Word extends string>(word: string | undefined, words: readonly Word[]): Word {
  const found = words.find((known) => known === word);
  if (found === undefined) throw new Error(`a record script answered ${String(word)}`);
  return found;
}
