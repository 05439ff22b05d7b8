import type { Redis } from 'ioredis';
import {
  finalStage,
  isDeadLetter,
  stageReads,
  type Failure,
  type LookStage,
  type Request,
  type RequestStatus,
  type StageName,
} from '@bunri/queue-contracts';
import type { Carry } from './closing.ts';
import { createKeys, dayInSeoul } from './keys.ts';
import { recordAcceptance } from './record-acceptance.ts';
import { changed, oneOf, type Refused, type StartResult } from './record-outcomes.ts';
import { recordReads } from './record-reads.ts';
import { scriptRunner, type ScriptName } from './record-scripts.ts';
import type { Beginning } from './stage-scripts.ts';
import { type RequestRecord, stagesLeft } from './record.ts';

export interface StageRun {
  readonly id: string;
  readonly stage: StageName;
  /** Unique to this run; what it writes counts only while no later run has started. */
  readonly token: string;
  /** Of the job that is run. Default 0. */
  readonly generation?: number;
  /** The stages that look at the photo of its request. Default: the usual one. */
  readonly looks?: readonly LookStage[] | undefined;
}

export interface RecordStoreOptions {
  readonly redis: Redis;
  readonly prefix: string;
  /** How long a finished request can be read, in ms. */
  readonly retentionMs?: number;
  /** How long a request stays that failed for want of something on our side, in ms: an operator may retry it. */
  readonly deadLetterRetentionMs?: number;
  /** How many of those are kept; what fails beyond stays as long as any finished request. Default 10,000. */
  readonly maxDeadLetters?: number;
  /** Default: Redis's clock. */
  readonly now?: () => number;
}

export type RecordStore = ReturnType<typeof createRecordStore>;

const dayMs = 24 * 3600 * 1000;
const defaultRetentionMs = dayMs;
/** About 70 MB: in a bad hour, what fails must not fill Redis for a week. */
const maxDeadLetters = 10_000;
const defaultDeadLetterRetentionMs = 7 * dayMs;

/**
 * The store of request records: our truth about a request, beside BullMQ's jobs. Every method that changes a record is
 * one atomic script, may be repeated, and says in its result whether it changed anything.
 */
export function createRecordStore(options: RecordStoreOptions) {
  const { redis, prefix, retentionMs = defaultRetentionMs, now = Date.now } = options;
  // The scripts go by Redis's clock: what is late is the same for all, whatever clock a process has.
  const scriptNow = () => (options.now ? options.now() : '');
  const deadLetterRetentionMs = options.deadLetterRetentionMs ?? Math.max(retentionMs, defaultDeadLetterRetentionMs);
  const keys = createKeys(prefix);
  const script = scriptRunner(redis);

  async function run(name: ScriptName, id: string, args: (string | number)[], more: readonly string[] = []) {
    return await script(name, [keys.record(id), ...more], [scriptNow(), ...args]);
  }

  const fenced = async (name: ScriptName, { id, stage, token }: StageRun, args: (string | number)[]) =>
    await run(name, id, [stage, token, ...args]);
  const held = (isHeld: boolean) => (isHeld ? 'held' : '');
  const today = () => dayInSeoul(now());
  /** What else the end of a request is told. */
  const ending = (isDead: boolean) => [
    isDead ? deadLetterRetentionMs : '',
    options.maxDeadLetters ?? maxDeadLetters,
    today(),
  ];

  return {
    keys,
    redis,
    ...recordReads({ redis, keys, now }),
    ...recordAcceptance({ keys, script, retentionMs, now, scriptNow }),

    /**
     * A worker takes the stage; `suspectHeld` where it runs one already that was lost twice. On `started` the run's token is
     * the stage's fence, and `outputs` has what the stage reads. With `begun`, what `beginning` was answered, it is not asked again.
     */
    async start(stageRun: StageRun, suspectHeld = false, begun?: string[]): Promise<StartResult> {
      const { stage, generation = 0 } = stageRun;
      const reads = stageReads(stage, stageRun.looks);
      const reply = begun ?? (await fenced('start', stageRun, [generation, held(suspectHeld), ...reads]));
      const outcome = oneOf(reply[0], ['started', 'gone', 'closed', 'void', 'done', 'late', 'worn', 'isolated']);
      if (outcome === 'closed') return { outcome, status: reply[1] as RequestStatus };
      if (outcome !== 'started') return { outcome };
      const [, attempt, readyAt, request, lost, ...outputs] = reply;
      return {
        outcome,
        attempt: Number(attempt),
        readyAt: Number(readyAt),
        lost: Number(lost),
        request: JSON.parse(request ?? 'null') as Request,
        outputs: Object.fromEntries(reads.map((name, i) => [name, outputs[i] ? JSON.parse(outputs[i]) : undefined])),
      };
    },

    /** How the stage of whatever job is taken begins, in the script that takes it. */
    beginning({ stage, token }: Pick<StageRun, 'stage' | 'token'>, suspectHeld: boolean): Beginning {
      return { records: keys.record(''), args: [scriptNow(), stage, token, held(suspectHeld), ...stageReads(stage)] };
    },

    /**
     * The stage's result; `unstored` where its picture has been removed since the stage began. The final stage's result
     * completes the request in the same step. `counters` go to the statistics of the day. With `carry` it goes along with what completes the job.
     */
    async finish(
      { id, stage, token }: StageRun,
      result: { output: unknown; durationMs: number; cached: boolean; counters?: Record<string, number> },
      carry?: Carry,
    ): Promise<{ outcome: 'finished' | 'unstored' } | Refused> {
      const final = stage === finalStage;
      const recordKeys = [keys.record(id)];
      const args = [
        scriptNow(),
        stage,
        token,
        result.durationMs,
        result.cached ? 1 : 0,
        JSON.stringify(result.output),
        final ? retentionMs : '',
        stage === 'preprocess' ? retentionMs : '',
        today(),
        ...Object.entries(result.counters ?? {}).flat(),
      ];
      const reply = (await carry?.(recordKeys, args)) ?? (await script('finish', recordKeys, args));
      return reply[0] === 'unstored' ? { outcome: 'unstored' } : changed(reply, 'finished');
    },

    /** The run failed and another attempt will follow. */
    async retry(stageRun: StageRun, code: string): Promise<{ outcome: 'yielded' } | Refused> {
      const data = JSON.stringify({ stage: stageRun.stage, code });
      return changed(await fenced('yield', stageRun, ['stage.retrying', data, 0]), 'yielded');
    },

    /** The run was given back unharmed: it does not count as an attempt. Only in an outage its starts go on counting, as waits grow with them. */
    async release(
      stageRun: StageRun,
      reason: 'shutdown' | 'rate_limited' | 'shared_work' | 'storage_unavailable' | 'isolated',
    ): Promise<{ outcome: 'yielded' } | Refused> {
      const data = JSON.stringify({ stage: stageRun.stage, reason });
      const takenBack = reason === 'storage_unavailable' ? 0 : 1;
      return changed(await fenced('yield', stageRun, ['stage.released', data, takenBack]), 'yielded');
    },

    /**
     * One of two stages that look has failed for good: its request goes on with the other one. With a `token`, only the run
     * that holds the stage may say so.
     */
    async giveUp(
      { id, stage, generation = 0, token = '' }: Omit<StageRun, 'token'> & { readonly token?: string },
      error: Failure,
    ): Promise<{ outcome: 'given up' } | Refused> {
      const told = JSON.stringify({ stage, code: error.code });
      return changed(await run('giveUp', id, [stage, token, generation, JSON.stringify(error), told]), 'given up');
    },

    /** A piece of the answer while it is being written; `offset` counts UTF-16 units from the start of the answer. */
    async delta(stageRun: StageRun, offset: number, text: string): Promise<{ outcome: 'emitted' } | Refused> {
      return changed(await fenced('delta', stageRun, [JSON.stringify({ offset, text })]), 'emitted');
    },

    /**
     * Ends an open request with a typed error. With a `token`, only the run that holds the stage may; with a `generation`,
     * only while the request has not been opened again since; `overdue`, only past its deadline. What an operator may repair
     * is kept as a dead letter.
     */
    async fail(
      id: string,
      error: Failure,
      fence: { token?: string | undefined; generation?: number | undefined; overdue?: boolean } = {},
    ): Promise<{ outcome: 'ended' } | Refused> {
      const { token = '', generation = '', overdue = false } = fence;
      // Workers that still hold the request hear why; the run that fails it is already ending.
      const tell = token === '' && error.code === 'deadline_exceeded' ? 'deadline' : '';
      const args = [retentionMs, 'failed', JSON.stringify(error), error.stage ?? '', token, error.code];
      const fences = [generation, overdue ? 'overdue' : ''];
      const reply = await run('end', id, [...args, keys.control, tell, ...fences, ...ending(isDeadLetter(error.code))]);
      return changed(reply, 'ended');
    },

    /** Takes a closed or removed request out of the indexes of open ones. @returns whether it was. */
    async drop(id: string): Promise<boolean> {
      return (await run('drop', id, []))[0] === 'dropped';
    },

    /** Ends an open request at its owner's wish and tells every worker to abort what it has in flight for it. */
    async cancel(id: string): Promise<{ outcome: 'ended' } | Refused> {
      const args = [retentionMs, 'canceled', '', '', '', '', keys.control, 'canceled', '', '', ...ending(false)];
      return changed(await run('end', id, args), 'ended');
    },

    /**
     * Opens a request again, from its first stage without an output on, under a new generation: a failed one to be retried,
     * with a new deadline and class; or an open one whose jobs are gone. Its flow is to be added afterwards; should the caller
     * die before, the sweeper does it. `refused` tells that the request is not, or no longer, as `record` has it.
     */
    async reopen(
      record: RequestRecord,
      change: {
        readonly from: 'failed' | 'open';
        readonly deadlineAt?: number;
        readonly priority?: Request['priority'];
      },
    ): Promise<{ outcome: 'reopened'; record: RequestRecord } | Refused> {
      const { from, deadlineAt = record.request.deadlineAt, priority = record.request.priority } = change;
      const request: Request = { ...record.request, deadlineAt, priority };
      const left = stagesLeft(record);
      const data = JSON.stringify({ stage: left[0], reason: from === 'failed' ? 'retried' : 'job_lost' });
      const event = from === 'failed' ? 'retried' : 'stage.released';
      const reply = await run('reopen', request.id, [
        JSON.stringify(request),
        deadlineAt,
        request.owner,
        priority,
        record.generation,
        from,
        event,
        data,
        retentionMs,
        today(),
        ...left,
      ]);
      const result = changed(reply, 'reopened');
      if (result.outcome !== 'reopened') return result;
      const [, generation, turn] = reply;
      const opened = Object.fromEntries(left.map((name) => [name, { ...record.stages[name], status: 'pending' }]));
      const reopened = {
        ...record,
        stages: { ...record.stages, ...opened },
        request,
        status: 'queued',
        generation: Number(generation),
        turn: Number(turn),
      } as const;
      return { outcome: 'reopened', record: reopened };
    },

    /** Removes a request and every index entry of it. */
    async remove(id: string, owner: string): Promise<void> {
      const transaction = redis.multi();
      transaction.unlink(keys.record(id), keys.events(id));
      for (const index of [keys.deadlines, keys.unqueued, keys.finished, keys.dead, keys.owner(owner)])
        transaction.zrem(index, id);
      await transaction.exec();
    },
  };
}
