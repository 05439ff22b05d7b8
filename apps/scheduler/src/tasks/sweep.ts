import { failure, finalStage, isTerminal, stageJobId, stages } from '@bunri/queue-contracts';
import type { FlowQueue, Logger, Metrics, RecordStore, RequestRecord } from '@bunri/runtime';
import type { Task } from '../task.ts';

export interface SweepDeps {
  readonly records: RecordStore;
  readonly flows: Pick<FlowQueue, 'add'>;
  /** Of the queues. */
  readonly prefix: string;
  readonly metrics: Metrics;
  readonly now?: () => number;
}

const batch = 500;
/** The api adds a request's flow right after its record; one that has none by then lost its api in between. */
const acceptanceMs = 30_000;
const message =
  'The answer was not ready before the deadline. Send the request again, with a later deadline if it may wait.';
const strandedMessage =
  'The workers that took this request stopped before they were done. Send it again; if it happens again, report the id.';

/** Keeps the promise that every request ends before its deadline, or soon after it, whatever died on the way. */
export function sweep(deps: SweepDeps): Task {
  return async ({ signal, log }) => {
    const overdue = await closeOverdue(deps, signal);
    const unqueued = await repairUnqueued(deps, signal, log);
    const stranded = await closeStranded(deps, signal, log);
    const report = {
      overdue: overdue.closed,
      without_flow: unqueued.repaired,
      stranded,
      without_record: overdue.dropped + unqueued.dropped,
    };
    for (const [found, count] of Object.entries(report)) deps.metrics.swept.inc({ found }, count);
    return report;
  };
}

/** Fails what is past its deadline; its jobs end unworked when a worker comes to them. */
async function closeOverdue({ records, now = Date.now }: SweepDeps, signal: AbortSignal) {
  const error = failure('deadline_exceeded', message);
  let closed = 0;
  let dropped = 0;
  for (;;) {
    signal.throwIfAborted();
    const ids = await records.overdue(now(), batch);
    if (ids.length === 0) return { closed, dropped };
    const results = await Promise.all(ids.map(async (id) => ({ id, ...(await records.fail(id, error)) })));
    const stale = results.filter(({ outcome }) => outcome !== 'ended').map(({ id }) => id);
    await dropFromIndexes(records, stale);
    dropped += stale.length;
    closed += ids.length - stale.length;
  }
}

/** Adds the flow of accepted requests that have none. Long queues are no reason: there the flow's root job exists. */
async function repairUnqueued({ records, flows, prefix, now = Date.now }: SweepDeps, signal: AbortSignal, log: Logger) {
  const acceptedBefore = now() - acceptanceMs;
  let repaired = 0;
  let dropped = 0;
  for (let offset = 0; ;) {
    signal.throwIfAborted();
    const ids = await records.unqueued(acceptedBefore, batch, offset);
    if (ids.length === 0) return { repaired, dropped };
    const stale: string[] = [];
    for (const [id, root] of await rootJobs(records, prefix, ids)) {
      if (root !== 'absent') continue;
      const record = await readable(records, id, log);
      if (record === 'unreadable') continue;
      if (record && !isTerminal(record.status)) {
        await flows.add(record.request);
        repaired += 1;
      } else {
        stale.push(id);
      }
    }
    await dropFromIndexes(records, stale);
    dropped += stale.length;
    // What was dropped has moved the rest of the index forward.
    offset += ids.length - stale.length;
  }
}

/**
 * Fails what was started and has no job any more that could go on: the flow ended in BullMQ without the record hearing of it.
 * A flow ends only after its record did, so that an open record of an ended flow never is one that will still be closed.
 */
async function closeStranded({ records, prefix }: SweepDeps, signal: AbortSignal, log: Logger): Promise<number> {
  let closed = 0;
  for (let offset = 0; ; offset += batch) {
    signal.throwIfAborted();
    const ids = await records.open(batch, offset);
    if (ids.length === 0) return closed;
    const roots = await rootJobs(records, prefix, ids);
    for (const id of ids) {
      if (roots.get(id) === 'open') continue;
      const record = await readable(records, id, log);
      if (record === 'unreadable' || record?.status !== 'running') continue;
      const { outcome } = await records.fail(id, failure('worker_lost', strandedMessage));
      if (outcome === 'ended') closed += 1;
    }
  }
}

/** What became of the root job of each request's flow. */
async function rootJobs({ redis }: RecordStore, prefix: string, ids: string[]) {
  const { queue } = stages[finalStage];
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.hmget(`${prefix}:${queue}:${stageJobId(id, finalStage)}`, 'timestamp', 'finishedOn');
  const replies = (await pipeline.exec()) ?? [];
  return new Map(
    ids.map((id, i) => {
      const [error, job] = replies[i] ?? [new Error('the pipeline gave no answer')];
      if (error) throw error;
      const [timestamp, finishedOn] = job as [string | null, string | null];
      return [id, timestamp === null ? 'absent' : finishedOn === null ? 'open' : 'ended'] as const;
    }),
  );
}

/** One record that cannot be read must not keep the others from being swept; its deadline ends it. */
async function readable(records: RecordStore, id: string, log: Logger): Promise<RequestRecord | null | 'unreadable'> {
  try {
    return await records.get(id);
  } catch (error) {
    log.error('a record cannot be read', { request_id: id, error });
    return 'unreadable';
  }
}

/** Takes out entries whose record is gone, or closed without them. */
async function dropFromIndexes({ redis, keys }: RecordStore, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await redis
    .multi()
    .zrem(keys.deadlines, ...ids)
    .zrem(keys.unqueued, ...ids)
    .exec();
}
