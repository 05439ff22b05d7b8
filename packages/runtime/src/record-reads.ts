import type { Redis } from 'ioredis';
import {
  failureSchema,
  type Failure,
  type Request,
  type RequestEvent,
  type RequestStatus,
  type StageName,
} from '@bunri/queue-contracts';
import { archivedEvents, recordFields, toArchived } from './archive.ts';
import type { ArchivedEvent } from './archive-codec.ts';
import type { Keys } from './keys.ts';
import { parseRecord, type RequestRecord } from './record.ts';

/** A failed request that is kept for an operator. */
export interface DeadLetter {
  readonly id: string;
  /** Epoch ms. */
  readonly failedAt: number;
}

/** What can be read of the records and their indexes. */
export function recordReads({ redis, keys, now }: { redis: Redis; keys: Keys; now: () => number }) {
  return {
    async get(id: string): Promise<RequestRecord | null> {
      return parseRecord(recordFields(await redis.hgetallBuffer(keys.record(id))));
    },

    /** Whether the request is open and this stage of it has no result yet. */
    async isAwaited(id: string, stage: StageName): Promise<boolean> {
      const [status, of] = await redis.hmget(keys.record(id), 'status', `${stage}.status`);
      return (status === 'queued' || status === 'running') && of !== 'completed';
    },

    /** Why stages were given up whose requests went on. */
    async failuresOf(id: string, stages: readonly StageName[]): Promise<Partial<Record<StageName, Failure>>> {
      const errors = await redis.hmget(keys.record(id), ...stages.map((stage) => `${stage}.error`));
      const known = errors.flatMap((error, i) => (error ? [[stages[i], failureSchema.parse(JSON.parse(error))]] : []));
      return Object.fromEntries(known) as Partial<Record<StageName, Failure>>;
    },

    /** How the request stands that has claimed this idempotency key; null where none has, or it was removed. */
    async claimed(owner: string, key: string): Promise<RequestStatus | null> {
      const id = await redis.hget(keys.idempotency(owner, key), 'id');
      return id === null ? null : ((await redis.hget(keys.record(id), 'status')) as RequestStatus | null);
    },

    /** Events after `afterSeq`, in order. */
    async events(id: string, afterSeq: number): Promise<RequestEvent[]> {
      const entries = await redis.xrange(keys.events(id), `(${afterSeq}-0`, '+');
      // The stream goes in the step that writes the archive: who finds nothing in the one finds all in the other.
      const events = entries.length > 0 ? entries.map(toArchived) : await archivedEvents({ redis, keys }, id, afterSeq);
      return events.map(toEvent);
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

    /** Requests that ended at or before `time`, oldest first; dead letters are kept apart. */
    async finishedBefore(time: number, limit: number): Promise<string[]> {
      return await redis.zrangebyscore(keys.finished, '-inf', time, 'LIMIT', 0, limit);
    },

    /** Dead letters, newest first, from the given place on. */
    async deadLetters(limit: number, offset = 0): Promise<DeadLetter[]> {
      const entries = await redis.zrange(keys.dead, offset, String(offset + limit - 1), 'REV', 'WITHSCORES');
      return Array.from({ length: entries.length / 2 }, (_, i) => ({
        id: entries[i * 2] ?? '',
        failedAt: Number(entries[i * 2 + 1]),
      }));
    },

    /** Dead letters of requests that failed at or before `time`, oldest first. */
    async deadBefore(time: number, limit: number): Promise<string[]> {
      return await redis.zrangebyscore(keys.dead, '-inf', time, 'LIMIT', 0, limit);
    },

    /** The turn that a request of this owner and class would be given now. */
    async nextTurn(owner: string, priority: Request['priority']): Promise<number> {
      const reached = await redis.hmget(keys.turns, priority, `${priority}:${owner}`);
      return Math.max(...reached.map((turn) => Number(turn ?? 0)));
    },

    /**
     * Since when this store is known, epoch ms: requests from before, if they are not here, were lost with an earlier store, or
     * are past their retention. A store that has never
     * been asked is as old as the first request in it, or as this call.
     */
    async lostBefore(): Promise<number> {
      const known = await redis.get(keys.epoch);
      if (known !== null) return Number(known);
      await redis.multi().set(keys.epoch, now(), 'NX').set(keys.imagesSince, 0, 'NX').exec();
      return Number(await redis.get(keys.epoch));
    },
  };
}

/**
 * Checked by hand, at a third of what `eventSchema` costs: our own scripts wrote it, and a process reads a thousand a second.
 *
 * @throws for what is no event.
 */
export function toEvent([seqText, type, atText, data]: ArchivedEvent): RequestEvent {
  const seq = Number(seqText);
  const at = Number(atText);
  const parsed: unknown = JSON.parse(data);
  if (!Number.isSafeInteger(seq) || seq < 1 || !Number.isSafeInteger(at) || atText === '' || !isObject(parsed)) {
    throw new Error(`not an event: ${seqText} ${type} ${atText}`);
  }
  return { seq, type, at, data: parsed };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a message of a request's event channel: `seq type at data`. @throws for what is none. */
export function parseEventMessage(message: string): RequestEvent {
  const [seq = '', type = '', at = ''] = message.split(' ', 3);
  return toEvent([seq, type, at, message.slice(seq.length + type.length + at.length + 3)]);
}
