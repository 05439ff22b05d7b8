import { isTerminal, type RequestEvent, type RequestStatus } from '@bunri/queue-contracts';
import { toArchived } from './archive.ts';
import { toEvent } from './record-reads.ts';
import type { RecordStore } from './records.ts';

/** Part of a request's stream, in order. */
export interface EventPage {
  readonly events: readonly RequestEvent[];
  /** Whether the stream goes on behind this page. */
  readonly more: boolean;
  /** Of the record, just before its stream was read: `gone` where there is none. */
  readonly state: 'open' | 'ended' | 'gone';
}

/** Events of a request after a seq. */
export type ReadEvents = (id: string, afterSeq: number) => Promise<EventPage>;

type Entry = readonly [entryId: string, fields: readonly string[]];

interface Read {
  readonly id: string;
  readonly afterSeq: number;
  readonly page: Promise<EventPage>;
  readonly resolve: (page: EventPage) => void;
  readonly reject: (error: unknown) => void;
}

/** What is read at once for one listener: it waits for nobody else's, and a slow one holds no more than this. */
const pageSize = 200;

/**
 * Reads for many listeners: what is asked for in one turn of the event loop, as after a reconnect of everybody, shares its
 * round trips, and who asks for the same gets the same events.
 */
export function createEventReads(
  { redis, keys, events: eventsAtRest }: Pick<RecordStore, 'redis' | 'keys' | 'events'>,
  limits: { readonly pageSize: number } = { pageSize },
): ReadEvents {
  let waiting = new Map<string, Read>();

  /** The status first: the event that ended a request stands in what is read after it. */
  async function readPage({ id, afterSeq }: Read): Promise<EventPage> {
    const [status, entries] = await Promise.all([
      redis.hget(keys.record(id), 'status'),
      redis.xrange(keys.events(id), `(${afterSeq}-0`, '+', 'COUNT', limits.pageSize),
    ]);
    return await pageOf(id, afterSeq, status as RequestStatus | null, entries);
  }

  async function pageOf(
    id: string,
    afterSeq: number,
    status: RequestStatus | null,
    entries: readonly Entry[],
  ): Promise<EventPage> {
    const state = status === null ? 'gone' : isTerminal(status) ? 'ended' : 'open';
    if (entries.length > 0 || state !== 'ended') {
      const events = entries.map((entry) => toEvent(toArchived(entry)));
      return { events, more: entries.length === limits.pageSize, state };
    }
    // A request that ended long ago has no stream of its own any more.
    return { events: await eventsAtRest(id, afterSeq), more: false, state };
  }

  /** Commands of one turn leave in one write; a pipeline of ioredis would copy all scripts of its connection. */
  function flush(): void {
    const reads = waiting.values();
    waiting = new Map();
    for (const read of reads) readPage(read).then(read.resolve, read.reject);
  }

  return async (id, afterSeq) => {
    const name = `${id} ${afterSeq}`;
    const known = waiting.get(name);
    if (known) return await known.page;
    const { promise: page, resolve, reject } = Promise.withResolvers<EventPage>();
    if (waiting.size === 0) setImmediate(flush);
    waiting.set(name, { id, afterSeq, page, resolve, reject });
    return await page;
  };
}
