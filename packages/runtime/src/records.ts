import type { Redis } from 'ioredis';
import {
  eventSchema,
  finalStage,
  stageReads,
  type Failure,
  type Request,
  type RequestEvent,
  type RequestStatus,
  type StageName,
} from '@bunri/queue-contracts';
import { createKeys, dayInSeoul } from './keys.ts';
import { scriptRunner, type ScriptName } from './record-scripts.ts';
import { parseRecord, type RequestRecord } from './record.ts';

/** Why a transition changed nothing: the record is gone, the request is closed, or a later run holds the stage. */
export type Refused = { outcome: 'gone' } | { outcome: 'closed'; status: RequestStatus } | { outcome: 'fenced' };

export type StartResult =
  | {
      outcome: 'started';
      attempt: number;
      readyAt: number;
      request: Request;
      outputs: Partial<Record<StageName, unknown>>;
    }
  | { outcome: 'gone' }
  | { outcome: 'closed'; status: RequestStatus }
  /** An earlier run finished the stage and died before its job did. */
  | { outcome: 'done' }
  /** The deadline has passed. */
  | { outcome: 'late' }
  /** Started as often as a stage may be: whoever starts it dies. */
  | { outcome: 'worn' };

export interface StageRun {
  readonly id: string;
  readonly stage: StageName;
  /** Unique to this run; what it writes counts only while no later run has started. */
  readonly token: string;
}

export interface CachedAnswer {
  readonly outputs: Record<StageName, unknown>;
}

export interface Idempotency {
  readonly key: string;
  readonly fingerprint: string;
}

export interface RecordStoreOptions {
  readonly redis: Redis;
  readonly prefix: string;
  /** How long a finished request can be read, in ms. */
  readonly retentionMs?: number;
  readonly now?: () => number;
}

export type RecordStore = ReturnType<typeof createRecordStore>;

const dayMs = 24 * 3600 * 1000;
const defaultRetentionMs = dayMs;
/** Stripe and others keep idempotency keys for a day; a client that retries later meant a new request. */
const longestIdempotencyMs = dayMs;
/** A stage that was started this often and never ended kills its workers. */
const maxStarts = 8;

/**
 * The store of request records: our truth about a request, beside BullMQ's jobs. Every method that changes a record is
 * one atomic script, may be repeated, and says in its result whether it changed anything.
 */
export function createRecordStore(options: RecordStoreOptions) {
  const { redis, prefix, retentionMs = defaultRetentionMs, now = Date.now } = options;
  // A key never outlives the record that it names.
  const idempotencyTtlMs = Math.min(longestIdempotencyMs, retentionMs);
  const keys = createKeys(prefix);
  const script = scriptRunner(redis);

  async function run(name: ScriptName, id: string, args: (string | number)[], more: readonly string[] = []) {
    return await script(name, [keys.record(id), keys.events(id), ...more], [id, now(), ...args]);
  }

  const fenced = async (name: ScriptName, { id, stage, token }: StageRun, args: (string | number)[], more?: string[]) =>
    await run(name, id, [stage, token, ...args], more);
  const statistics = () => keys.statistics(dayInSeoul(now()));
  /** What a script needs that counts and closes. */
  const closing = () => [statistics(), keys.deadlines, keys.unqueued, keys.finished];

  return {
    keys,
    redis,

    /** Writes a new request, and claims its idempotency key in the same step. `existing` and `conflict` name the earlier request. */
    async accept(
      request: Request,
      extra: { idempotency?: Idempotency; answer?: CachedAnswer } = {},
    ): Promise<{ outcome: 'accepted' | 'existing' | 'conflict'; id: string }> {
      const { idempotency, answer } = extra;
      const idempotencyKey = keys.idempotency(request.owner, idempotency?.key ?? '');
      const reply = await run(
        'accept',
        request.id,
        [
          retentionMs,
          JSON.stringify(request),
          request.owner,
          request.deadlineAt,
          request.createdAt,
          idempotency?.fingerprint ?? '',
          idempotencyTtlMs,
          ...(answer ? ['completed', ...cachedFields(answer, now())] : ['']),
        ],
        [...closing(), keys.owner(request.owner), idempotencyKey],
      );
      return { outcome: oneOf(reply[0], ['accepted', 'existing', 'conflict']), id: reply[1] ?? request.id };
    },

    /** A worker takes the stage. On `started` the run's token is the stage's fence, and `outputs` has what the stage reads. */
    async start(stageRun: StageRun): Promise<StartResult> {
      const reads = stageReads(stageRun.stage);
      const reply = await fenced('start', stageRun, [maxStarts, ...reads], [keys.unqueued]);
      const outcome = oneOf(reply[0], ['started', 'gone', 'closed', 'done', 'late', 'worn']);
      if (outcome === 'closed') return { outcome, status: reply[1] as RequestStatus };
      if (outcome !== 'started') return { outcome };
      const [, attempt, readyAt, request, ...outputs] = reply;
      return {
        outcome,
        attempt: Number(attempt),
        readyAt: Number(readyAt),
        request: JSON.parse(request ?? 'null') as Request,
        outputs: Object.fromEntries(reads.map((name, i) => [name, outputs[i] ? JSON.parse(outputs[i]) : undefined])),
      };
    },

    /** The stage's result. The final stage's result completes the request in the same step. `counters` go to the statistics of the day. */
    async finish(
      stageRun: StageRun,
      result: { output: unknown; durationMs: number; cached: boolean; counters?: Record<string, number> },
    ): Promise<{ outcome: 'finished' } | Refused> {
      const final = stageRun.stage === finalStage;
      const reply = await fenced(
        'finish',
        stageRun,
        [
          result.durationMs,
          result.cached ? 1 : 0,
          JSON.stringify(result.output),
          final ? retentionMs : '',
          ...Object.entries(result.counters ?? {}).flat(),
        ],
        final ? closing() : [statistics()],
      );
      return changed(reply, 'finished');
    },

    /** The run failed and another attempt will follow. */
    async retry(stageRun: StageRun, code: string): Promise<{ outcome: 'yielded' } | Refused> {
      const data = JSON.stringify({ stage: stageRun.stage, code });
      return changed(await fenced('yield', stageRun, ['stage.retrying', data, 0]), 'yielded');
    },

    /** The run was given back unharmed (shutdown, rate limit, work that another request does): it does not count as an attempt. */
    async release(
      stageRun: StageRun,
      reason: 'shutdown' | 'rate_limited' | 'shared_work',
    ): Promise<{ outcome: 'yielded' } | Refused> {
      const data = JSON.stringify({ stage: stageRun.stage, reason });
      return changed(await fenced('yield', stageRun, ['stage.released', data, 1]), 'yielded');
    },

    /** A piece of the answer while it is being written; `offset` counts UTF-16 units from the start of the answer. */
    async delta(stageRun: StageRun, offset: number, text: string): Promise<{ outcome: 'emitted' } | Refused> {
      return changed(await fenced('delta', stageRun, [JSON.stringify({ offset, text })]), 'emitted');
    },

    /** Ends an open request with a typed error. With a `token`, only the run that holds the stage may. */
    async fail(id: string, error: Failure, token?: string): Promise<{ outcome: 'ended' } | Refused> {
      // Workers that still hold the request hear why; the run that fails it is already ending.
      const tell = token === undefined && error.code === 'deadline_exceeded' ? 'deadline' : '';
      const args = [retentionMs, 'failed', JSON.stringify(error), error.stage ?? '', token ?? '', error.code];
      return changed(await run('end', id, [...args, keys.control, tell], closing()), 'ended');
    },

    /** Ends an open request at its owner's wish and tells every worker to abort what it has in flight for it. */
    async cancel(id: string): Promise<{ outcome: 'ended' } | Refused> {
      const args = [retentionMs, 'canceled', '', '', '', '', keys.control, 'canceled'];
      return changed(await run('end', id, args, closing()), 'ended');
    },

    async get(id: string): Promise<RequestRecord | null> {
      return parseRecord(await redis.hgetall(keys.record(id)));
    },

    /** Events after `afterSeq`, in order. */
    async events(id: string, afterSeq: number): Promise<RequestEvent[]> {
      const entries = await redis.xrange(keys.events(id), `(${afterSeq}-0`, '+');
      return entries.map(([entryId, fields]) => toEvent(entryId, fields));
    },

    /** The owner's requests, newest first: ids created before `before` (epoch ms, exclusive). */
    async listIds(owner: string, before: number, limit: number): Promise<string[]> {
      return await redis.zrange(keys.owner(owner), `(${before}`, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, limit);
    },

    /** Open requests whose deadline is at or before `time`, oldest first. */
    async overdue(time: number, limit: number): Promise<string[]> {
      return await redis.zrangebyscore(keys.deadlines, '-inf', time, 'LIMIT', 0, limit);
    },

    /** Open requests by deadline, the earliest first, from the given place on. */
    async open(limit: number, offset: number): Promise<string[]> {
      return await redis.zrange(keys.deadlines, offset, String(offset + limit - 1));
    },

    /** Requests accepted at or before `time` that no worker has taken yet. */
    async unqueued(time: number, limit: number, offset = 0): Promise<string[]> {
      return await redis.zrangebyscore(keys.unqueued, '-inf', time, 'LIMIT', offset, limit);
    },

    /** Requests that ended at or before `time`, oldest first. */
    async finishedBefore(time: number, limit: number): Promise<string[]> {
      return await redis.zrangebyscore(keys.finished, '-inf', time, 'LIMIT', 0, limit);
    },

    /** Removes a request and every index entry of it. */
    async remove(id: string, owner: string): Promise<void> {
      const transaction = redis.multi();
      transaction.unlink(keys.record(id), keys.events(id));
      for (const index of [keys.deadlines, keys.unqueued, keys.finished, keys.owner(owner)])
        transaction.zrem(index, id);
      await transaction.exec();
    },
  };
}

function changed<Outcome extends string>(reply: string[], outcome: Outcome): { outcome: Outcome } | Refused {
  const first = oneOf(reply[0], [outcome, 'gone', 'closed', 'fenced'] as const);
  if (first === 'closed') return { outcome: 'closed', status: reply[1] as RequestStatus };
  return { outcome: first } as { outcome: Outcome } | Refused;
}

function oneOf<const Word extends string>(word: string | undefined, words: readonly Word[]): Word {
  const found = words.find((known) => known === word);
  if (found === undefined) throw new Error(`a record script answered ${String(word)}`);
  return found;
}

function cachedFields(answer: CachedAnswer, at: number): (string | number)[] {
  return Object.entries(answer.outputs).flatMap(([stage, output]) => [
    `${stage}.status`,
    'completed',
    `${stage}.startedAt`,
    at,
    `${stage}.durationMs`,
    0,
    `${stage}.attempts`,
    0,
    `${stage}.cached`,
    1,
    `${stage}.output`,
    JSON.stringify(output),
  ]);
}

function toEvent(entryId: string, fields: string[]): RequestEvent {
  const value = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
  return eventSchema.parse({
    seq: Number.parseInt(entryId, 10),
    type: value('type'),
    at: Number(value('at')),
    data: JSON.parse(value('data')),
  });
}

/** Reads a message of a request's event channel: `seq type at data`. */
export function parseEventMessage(message: string): RequestEvent {
  const [seq = '', type = '', at = ''] = message.split(' ', 3);
  const data = message.slice(seq.length + type.length + at.length + 3);
  return eventSchema.parse({ seq: Number(seq), type, at: Number(at), data: JSON.parse(data) });
}
