/** What the page reads of the API's answers. */
export interface QueueState {
  readonly name: string;
  readonly jobs: { readonly waiting: number; readonly active: number; readonly delayed: number };
  readonly paused: boolean;
  readonly slots: number;
  readonly workers: number;
  readonly oldest_waiting_seconds: number;
}

export interface DayStatistics {
  readonly day: string;
  readonly source: 'archive' | 'counters' | 'none';
  readonly requests: Readonly<Record<'accepted' | 'completed' | 'failed' | 'canceled' | 'cached', number>>;
  readonly stages: Readonly<
    Record<
      string,
      { readonly completed: number; readonly cached: number; readonly duration_ms: { p50: number; p95: number } | null }
    >
  >;
  readonly usage: Readonly<Record<string, { readonly cost_usd: number }>>;
}

export interface Statistics {
  readonly to: string;
  readonly caps: { readonly day_usd: number | null };
  readonly days: readonly DayStatistics[];
}

export interface DeadLetter {
  readonly id: string;
  readonly owner: string;
  readonly age_seconds: number;
  readonly code: string;
  readonly stage: string | null;
  readonly attempts: number;
}

/** One look at everything. */
export interface Look {
  readonly at: number;
  readonly queues: readonly QueueState[];
  readonly caps: Statistics['caps'];
  readonly today: DayStatistics;
  readonly deadLetters: readonly DeadLetter[];
  /** Whether there are more dead letters than these. */
  readonly more: boolean;
}

/** An answer that is no success. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

const patienceMs = 20_000;

/** @throws Refused; a TypeError or DOMException where no answer came */
export async function call(method: string, path: string, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetch(path, { method, headers, signal: AbortSignal.timeout(patienceMs) });
  if (answer.status === 204) return null;
  const body = (await answer.json()) as unknown;
  if (answer.ok) return body;
  const { detail } = body as { readonly detail?: unknown };
  throw new Refused(answer.status, typeof detail === 'string' ? detail : `The service answered ${answer.status}.`);
}
