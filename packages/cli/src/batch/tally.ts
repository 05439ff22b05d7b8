import type { ClassificationEvent } from '@bunri/client';
import { stageOrder, type BatchLine } from '@bunri/queue-contracts';

/** What is known of a stage, of the rows of this run. */
export interface StageTally {
  running: number;
  completed: number;
  cached: number;
  retried: number;
  readonly durationsMs: number[];
}

export interface Tally {
  readonly total: number;
  /** Done before they were reached. */
  readonly before: number;
  readonly inFlight: number;
  readonly counts: Readonly<Record<BatchLine['status'], number>>;
  readonly byCode: ReadonlyMap<string, number>;
  readonly stages: ReadonlyMap<string, StageTally>;
  /** From sending a row to its end. */
  readonly durationsMs: readonly number[];
  readonly costUsd: number;
  readonly startedAt: number;
}

/** Counts a run. */
export function createTally({ total, now }: { total: number; now: () => number }) {
  const counts = { completed: 0, failed: 0, canceled: 0, invalid: 0 };
  const byCode = new Map<string, number>();
  const stages = new Map<string, StageTally>(stageOrder.map((name) => [name, newStage()]));
  const durationsMs: number[] = [];
  const startedAt = now();
  let costUsd = 0;
  let inFlight = 0;
  let before = 0;

  return {
    /** The figures as they stand. */
    read: (): Tally => ({ total, before, inFlight, counts, byCode, stages, durationsMs, costUsd, startedAt }),

    /** A row was done by an earlier run, or is the same as one before. */
    skip(): void {
      before += 1;
    },

    /** A row begins. @returns what hears of its stages, and what is told of its end; null for none */
    begin(): { onEvent: (event: ClassificationEvent) => void; end: (line: BatchLine | null) => void } {
      const begunAt = now();
      const running = new Set<string>();
      inFlight += 1;
      const leave = (name: string) => {
        if (running.delete(name)) at(name).running -= 1;
      };
      return {
        onEvent: ({ type, stage, duration_ms: ms = 0, cached = false }) => {
          if (stage === undefined) return;
          leave(stage);
          if (type === 'stage.started') {
            running.add(stage);
            at(stage).running += 1;
          } else if (type === 'stage.completed') {
            at(stage).completed += 1;
            at(stage).durationsMs.push(ms);
            if (cached) at(stage).cached += 1;
          } else if (type === 'stage.retrying') at(stage).retried += 1;
        },
        end(line) {
          inFlight -= 1;
          for (const name of running) leave(name);
          if (!line) return;
          counts[line.status] += 1;
          durationsMs.push(now() - begunAt);
          const code = line.error?.code;
          if (code !== undefined) byCode.set(code, (byCode.get(code) ?? 0) + 1);
          for (const used of Object.values(line.classification?.usage ?? {})) costUsd += used?.cost_usd ?? 0;
        },
      };
    },
  };

  function at(name: string): StageTally {
    const stage = stages.get(name) ?? newStage();
    stages.set(name, stage);
    return stage;
  }
}

function newStage(): StageTally {
  return { running: 0, completed: 0, cached: 0, retried: 0, durationsMs: [] };
}

/** The value that this share of the values is at or below; null of none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}
